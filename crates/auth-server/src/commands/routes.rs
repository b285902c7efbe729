//! `routes` and `openapi`.

use anyhow::Result;

use crate::application::Application;
use crate::compose;
use crate::config::Checked;

pub(super) fn table(checked: &Checked, application: &impl Application) -> Result<()> {
    print!("{}", compose::routes(checked, application)?);
    Ok(())
}

pub(super) fn document(checked: &Checked, application: &impl Application) -> Result<()> {
    let document = compose::routes(checked, application)?.openapi_document(&checked.http.credentials);
    println!("{}", serde_json::to_string_pretty(&document)?);
    Ok(())
}
