//! Sections of an application, and the profile it runs in.

use arcly_http::config::Secret;
use arcly_http::prelude::*;
use arcly_http_testing::TestApp;

/// Keys of the application.
#[derive(Config)]
#[config(section = "keys", check = even)]
struct Keys {
    /// Signs tokens.
    #[config(secret, optional_in_dev)]
    signing: Option<Secret>,
    /// How many.
    #[config(default = "2")]
    count: u8,
}

fn even(keys: &Keys) -> Result<(), String> {
    if keys.count.is_multiple_of(2) { Ok(()) } else { Err("`count` is odd".to_owned()) }
}

#[derive(Injectable)]
struct KeyController {
    keys: Inject<Keys>,
}

#[controller("/keys")]
impl KeyController {
    /// Whether there is a key.
    #[get("/")]
    #[public]
    fn is_there(&self) -> Json<bool> {
        Json(self.keys.signing.is_some())
    }
}

#[module(root, providers(Keys), controllers(KeyController))]
struct KeyModule;

async fn fault(set: &[(&str, &str)]) -> String {
    let builder = set
        .iter()
        .fold(TestApp::builder::<KeyModule>(), |builder, (key, value)| builder.set(key, value));
    match builder.launch().await {
        Ok(app) => {
            app.finish().await;
            String::new()
        }
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_secret_may_be_missing_in_dev_only() {
    for profile in ["test", "production"] {
        let text = fault(&[("profile", profile)]).await;
        let expected = format!("`keys.signing` has to be set in profile `{profile}`");
        assert!(text.contains(&expected), "{text}");
        assert!(text.contains("KEYS_SIGNING or by --keys-signing"), "{text}");
        assert_eq!(fault(&[("profile", profile), ("keys.signing", "x")]).await, "");
    }
    assert_eq!(fault(&[("profile", "dev")]).await, "");
    assert!(fault(&[]).await.contains("profile `test`"), "what the kit runs in");
}

#[tokio::test]
async fn faults_of_all_kinds_are_reported_at_once() {
    let text = fault(&[("keys.count", "300"), ("keys.cuont", "1"), ("profile", "prod")]).await;
    for part in [
        "`300` is not a whole number from 0 to 255 (set by the program)",
        "did you mean `keys.count`?",
        "`prod` is not `dev`, `test` or `production`",
        "`keys.signing` has to be set",
    ] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
    let odd = fault(&[("profile", "dev"), ("keys.count", "3")]).await;
    assert!(odd.contains("`keys`: `count` is odd"), "{odd}");
}
