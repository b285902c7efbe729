//! The tutorials' blog: anyone can list posts, a logged-in user can create one, and its author or a staff user can read,
//! change and delete it.
//!
//! Accounts, tokens and guards come from `auth-core`, `auth-http` and `auth-diesel`; the command line and configuration
//! from `auth-server`. This crate contains the application's own code: a table ([`store`]), handlers ([`handlers`]), and the
//! routes with their permission rules below.

pub mod handlers;
mod schema;
pub mod store;

use actix_web::web;
use async_trait::async_trait;
use auth_core::permission::Rule::{AllowAny, IsAdmin, IsOwner};
use auth_diesel::{AppMigrations, DieselStore};
use auth_http::routes::{AuthRoutes, Endpoint, Routes};
use auth_server::Application;
use diesel_migrations::embed_migrations;

use crate::store::Posts;

const MIGRATIONS: AppMigrations = AppMigrations {
    postgres: embed_migrations!("migrations/postgres"),
    sqlite: embed_migrations!("migrations/sqlite"),
};

/// The blog as an application of `auth-server`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Blog;

#[async_trait]
impl Application for Blog {
    type Store = DieselStore;

    fn name(&self) -> &'static str {
        "blog"
    }

    fn about(&self) -> &'static str {
        "The tutorials' blog, with its accounts and tokens"
    }

    fn routes(&self, routes: Routes) -> Routes {
        let list = Endpoint::new("/api/posts/").rule(AllowAny).get(handlers::list);
        let create = Endpoint::new("/api/posts/create/").post(handlers::create);
        let detail = Endpoint::new("/api/posts/{id:[0-9]+}/")
            .rule(IsOwner | IsAdmin)
            .get(handlers::show)
            .put(handlers::replace)
            .patch(handlers::change)
            .delete(handlers::delete);
        let protected = Endpoint::new("/api/protected/").get(handlers::protected);
        routes
            .with(list.named("Post List", ""))
            .with(create.named("Post Create", ""))
            .with(detail.named("Post Detail", ""))
            .with(protected.named("Protected", ""))
    }

    fn data(&self, routes: AuthRoutes, store: &DieselStore) -> AuthRoutes {
        routes.with_data(web::Data::new(Posts::new(store.clone())))
    }

    async fn pending_migrations(&self, store: &DieselStore) -> anyhow::Result<Vec<String>> {
        Ok(store.pending_migrations_of(MIGRATIONS).await?)
    }

    async fn migrate(&self, store: &DieselStore) -> anyhow::Result<Vec<String>> {
        Ok(store.migrate_with(MIGRATIONS).await?)
    }
}
