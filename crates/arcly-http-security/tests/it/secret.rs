//! Secrets.

use arcly_http_security::{SecretError, SigningSecret};

#[test]
fn weak_secrets_are_refused() {
    assert!(matches!(SigningSecret::try_new("short"), Err(SecretError::Short(5))));
    for text in ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "this-is-my-super-secret-key-for-prod"] {
        assert!(matches!(SigningSecret::try_new(text), Err(SecretError::Weak)), "{text}");
    }
}

#[test]
fn a_file_is_generated_once_and_must_be_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/key");
    SigningSecret::load_or_generate(&path).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    SigningSecret::load_or_generate(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    std::fs::write(&path, "nonsense").unwrap();
    assert!(matches!(SigningSecret::load_or_generate(&path), Err(SecretError::Malformed(_))));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(SigningSecret::load_or_generate(&path), Err(SecretError::Exposed(_))));
    }
}
