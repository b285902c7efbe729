//! The program itself. Its behaviour over HTTP is tested in the crate `auth-tests`.

use std::process::Command;

#[test]
fn prints_routes_with_their_rules() {
    let output = Command::new(env!("CARGO_BIN_EXE_blog")).arg("routes").env_clear().output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected = include_str!("../../../tests/golden/blog_routes.txt");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}
