//! The program itself; what it does over the wire is tried in the tests of the workspace.

use std::process::Command;

#[test]
fn it_prints_who_may_call_what() {
    let output = Command::new(env!("CARGO_BIN_EXE_blog")).arg("routes").env_clear().output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected = include_str!("../../../tests/golden/blog_routes.txt");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}
