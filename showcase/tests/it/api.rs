//! Every operation of the RealWorld document, with right and wrong input.

use serde_json::{Value, json};

use crate::conduit::{Conduit, auth};

#[tokio::test]
async fn users() {
    let conduit = Conduit::new().await;
    let app = &conduit.app;
    let token = conduit.register("ann").await;
    let login = |password: &str| {
        let body = json!({ "user": { "email": "ANN@x.org", "password": password } });
        app.post("/api/users/login").json(&body).send()
    };
    assert_eq!(login("password").await.expect(200).value()["user"]["username"], "ann");
    let refused = login("wrong").await.expect(401).value();
    assert!(refused["errors"]["body"][0].is_string(), "{refused}");
    let nobody = json!({ "user": { "email": "no@x.org", "password": "password" } });
    app.post("/api/users/login").json(&nobody).send().await.expect(401);

    let me = auth(app.get("/api/user"), &token).send().await.expect(200).value();
    assert_eq!(
        (me["user"]["email"].as_str(), me["user"]["bio"].as_str()),
        (Some("ann@x.org"), Some(""))
    );
    app.get("/api/user")
        .header("authorization", &format!("Bearer {token}"))
        .send()
        .await
        .expect(200);
    app.get("/api/user").send().await.expect(401);
    auth(app.get("/api/user"), "nonsense").send().await.expect(401);

    let update =
        |body: Value| auth(app.put("/api/user"), &token).json(&json!({ "user": body })).send();
    assert_eq!(
        update(json!({ "bio": "I write" })).await.expect(200).value()["user"]["bio"],
        "I write"
    );
    update(json!({})).await.expect(422);
    update(json!({ "admin": true })).await.expect(422);
    conduit.register("bob").await;
    let taken = update(json!({ "username": "bob" })).await.expect(422).value();
    assert_eq!(taken["errors"]["body"][0], "username has already been taken");
    update(json!({ "email": "BOB@x.org" })).await.expect(422);
    update(json!({ "password": "new password" })).await.expect(200);
    login("password").await.expect(401);
    login("new password").await.expect(200);

    let short = json!({ "user": { "username": "", "email": "x", "password": "short" } });
    let refused = app.post("/api/users").json(&short).send().await.expect(422).value();
    let mut pointers: Vec<&str> = refused["violations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["pointer"].as_str().unwrap())
        .collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/user/password", "/user/username"]);
    assert_eq!(refused["errors"]["body"].as_array().unwrap().len(), 2);
    app.post("/api/users").json(&json!({})).send().await.expect(422);
    conduit.finish().await;
}

#[tokio::test]
async fn profiles() {
    let conduit = Conduit::new().await;
    let app = &conduit.app;
    let ann = conduit.register("ann").await;
    conduit.register("bob").await;
    let following = |value: Value| value["profile"]["following"].as_bool().unwrap();
    assert!(!following(app.get("/api/profiles/bob").send().await.expect(200).value()));
    for _ in 0..2 {
        assert!(following(
            auth(app.post("/api/profiles/bob/follow"), &ann).send().await.expect(200).value()
        ));
    }
    assert!(following(auth(app.get("/api/profiles/bob"), &ann).send().await.expect(200).value()));
    assert!(!following(app.get("/api/profiles/bob").send().await.expect(200).value()));
    assert!(!following(
        auth(app.delete("/api/profiles/bob/follow"), &ann).send().await.expect(200).value()
    ));
    app.post("/api/profiles/bob/follow").send().await.expect(401);
    app.get("/api/profiles/nobody").send().await.expect(404);
    auth(app.post("/api/profiles/nobody/follow"), &ann).send().await.expect(404);
    conduit.finish().await;
}

#[tokio::test]
async fn articles() {
    let conduit = Conduit::new().await;
    let app = &conduit.app;
    let (ann, bob) = (conduit.register("ann").await, conduit.register("bob").await);
    let first = conduit.publish(&ann, "How to train", &["b", "a", "b"]).await;
    assert_eq!(
        (first["slug"].as_str(), &first["tagList"]),
        (Some("how-to-train"), &json!(["b", "a"]))
    );
    let created = first["createdAt"].as_str().unwrap();
    assert!(created.len() == 24 && created.ends_with('Z'), "{created}");
    assert_eq!(conduit.publish(&ann, "How to train!", &[]).await["slug"], "how-to-train-2");
    assert_eq!(conduit.publish(&bob, "日本", &["a"]).await["slug"], "日本");

    let list = |query: &str| app.get(&format!("/api/articles{query}")).send();
    let all = list("").await.expect(200).value();
    assert_eq!(
        (all["articlesCount"].as_i64(), all["articles"][0]["slug"].as_str()),
        (Some(3), Some("日本"))
    );
    assert!(all["articles"][0].get("body").is_none());
    for (query, count) in [
        ("?tag=a", 2),
        ("?author=ann", 2),
        ("?favorited=ann", 0),
        ("?tag=a&author=ann", 1),
        ("?tag=x", 0),
    ] {
        assert_eq!(list(query).await.expect(200).value()["articlesCount"], count, "{query}");
    }
    let page = list("?limit=1&offset=1").await.expect(200).value();
    assert_eq!(
        (page["articlesCount"].as_i64(), page["articles"].as_array().unwrap().len()),
        (Some(3), 1)
    );
    for query in ["?limit=0", "?limit=x", "?offset=-1", "?page=2"] {
        list(query).await.expect(422);
    }

    let favorite = auth(app.post("/api/articles/how-to-train/favorite"), &bob)
        .send()
        .await
        .expect(200)
        .value();
    assert_eq!(
        (&favorite["article"]["favorited"], &favorite["article"]["favoritesCount"]),
        (&json!(true), &json!(1))
    );
    assert_eq!(list("?favorited=bob").await.expect(200).value()["articlesCount"], 1);
    let seen = app.get("/api/articles/how-to-train").send().await.expect(200).value();
    assert_eq!(
        (&seen["article"]["favorited"], &seen["article"]["favoritesCount"]),
        (&json!(false), &json!(1))
    );
    let unfavorite = auth(app.delete("/api/articles/how-to-train/favorite"), &bob)
        .send()
        .await
        .expect(200)
        .value();
    assert_eq!(unfavorite["article"]["favoritesCount"], 0);

    assert_eq!(
        auth(app.get("/api/articles/feed"), &bob).send().await.expect(200).value()["articlesCount"],
        0
    );
    auth(app.post("/api/profiles/ann/follow"), &bob).send().await.expect(200);
    assert_eq!(
        auth(app.get("/api/articles/feed?limit=1"), &bob).send().await.expect(200).value()["articlesCount"],
        2
    );
    app.get("/api/articles/feed").send().await.expect(401);

    let change = json!({ "article": { "title": "New title" } });
    auth(app.put("/api/articles/how-to-train"), &bob).json(&change).send().await.expect(403);
    let changed = auth(app.put("/api/articles/how-to-train"), &ann)
        .json(&change)
        .send()
        .await
        .expect(200)
        .value();
    assert_eq!(
        (changed["article"]["slug"].as_str(), changed["article"]["body"].as_str()),
        (Some("new-title"), Some("b"))
    );
    app.get("/api/articles/how-to-train").send().await.expect(404);
    auth(app.delete("/api/articles/new-title"), &bob).send().await.expect(403);
    auth(app.delete("/api/articles/new-title"), &ann).send().await.expect(204);
    auth(app.delete("/api/articles/new-title"), &ann).send().await.expect(404);
    app.get("/api/articles/%E6%97%A5%E6%9C%AC").send().await.expect(200);

    let blank = json!({ "article": { "title": "", "description": "d", "body": "b" } });
    auth(app.post("/api/articles"), &ann).json(&blank).send().await.expect(422);
    app.post("/api/articles").json(&blank).send().await.expect(401);
    assert_eq!(app.get("/api/tags").send().await.expect(200).value()["tags"], json!(["a"]));
    conduit.finish().await;
}

#[tokio::test]
async fn articles_of_one_title_get_slugs_of_their_own() {
    let conduit = Conduit::new().await;
    let ann = conduit.register("ann").await;
    let made =
        futures_util::future::join_all((0..8).map(|_| conduit.publish(&ann, "Same", &[]))).await;
    let mut slugs: Vec<String> =
        made.iter().map(|a| a["slug"].as_str().unwrap().to_owned()).collect();
    slugs.sort();
    slugs.dedup();
    assert_eq!(slugs.len(), 8);
    conduit.finish().await;
}

#[tokio::test]
async fn comments() {
    let conduit = Conduit::new().await;
    let app = &conduit.app;
    let (ann, bob) = (conduit.register("ann").await, conduit.register("bob").await);
    conduit.publish(&ann, "One", &[]).await;
    conduit.publish(&ann, "Two", &[]).await;
    let body = json!({ "comment": { "body": "Nice" } });
    let made = auth(app.post("/api/articles/one/comments"), &bob)
        .json(&body)
        .send()
        .await
        .expect(200)
        .value();
    let id = made["comment"]["id"].as_i64().unwrap();
    assert_eq!(made["comment"]["author"]["username"], "bob");
    let list = app.get("/api/articles/one/comments").send().await.expect(200).value();
    assert_eq!(list["comments"].as_array().unwrap().len(), 1);
    app.get("/api/articles/none/comments").send().await.expect(404);
    app.post("/api/articles/one/comments").json(&body).send().await.expect(401);
    auth(app.delete(&format!("/api/articles/two/comments/{id}")), &bob).send().await.expect(404);
    auth(app.delete(&format!("/api/articles/one/comments/{id}")), &ann).send().await.expect(403);
    auth(app.delete(&format!("/api/articles/one/comments/{id}")), &bob).send().await.expect(204);
    auth(app.delete("/api/articles/one/comments/x"), &bob).send().await.expect(404);
    conduit.finish().await;
}

#[tokio::test]
async fn every_operation_of_the_document_is_there() {
    let conduit = Conduit::new().await;
    let document = conduit.app.openapi();
    let expected = [
        ("/api/users/login", "post", "Login"),
        ("/api/users", "post", "CreateUser"),
        ("/api/user", "get", "GetCurrentUser"),
        ("/api/user", "put", "UpdateCurrentUser"),
        ("/api/profiles/{username}", "get", "GetProfileByUsername"),
        ("/api/profiles/{username}/follow", "post", "FollowUserByUsername"),
        ("/api/profiles/{username}/follow", "delete", "UnfollowUserByUsername"),
        ("/api/articles/feed", "get", "GetArticlesFeed"),
        ("/api/articles", "get", "GetArticles"),
        ("/api/articles", "post", "CreateArticle"),
        ("/api/articles/{slug}", "get", "GetArticle"),
        ("/api/articles/{slug}", "put", "UpdateArticle"),
        ("/api/articles/{slug}", "delete", "DeleteArticle"),
        ("/api/articles/{slug}/comments", "get", "GetArticleComments"),
        ("/api/articles/{slug}/comments", "post", "CreateArticleComment"),
        ("/api/articles/{slug}/comments/{id}", "delete", "DeleteArticleComment"),
        ("/api/articles/{slug}/favorite", "post", "CreateArticleFavorite"),
        ("/api/articles/{slug}/favorite", "delete", "DeleteArticleFavorite"),
        ("/api/tags", "get", "GetTags"),
    ];
    for (path, method, id) in expected {
        assert_eq!(document["paths"][path][method]["operationId"], id, "{method} {path}");
    }
    conduit.finish().await;
}

#[tokio::test]
async fn an_article_is_reached_whatever_its_title() {
    let conduit = Conduit::new().await;
    let token = conduit.register("ann").await;
    let article = conduit.publish(&token, "Feed", &[]).await;
    let path = format!("/api/articles/{}", article["slug"].as_str().unwrap());
    let found = conduit.app.get(&path).send().await.expect(200).value();
    assert_eq!(found["article"]["title"], "Feed");
    auth(conduit.app.delete(&path), &token).send().await.expect(204);
    conduit.finish().await;
}

#[tokio::test]
async fn a_password_that_nobody_can_have_is_wrong() {
    let conduit = Conduit::new().await;
    conduit.register("ann").await;
    for email in ["ann@x.org", "no@x.org"] {
        let body = json!({ "user": { "email": email, "password": "\u{1f600}".repeat(600) } });
        conduit.app.post("/api/users/login").json(&body).send().await.expect(401);
    }
    conduit.finish().await;
}

#[tokio::test]
async fn a_token_that_outlives_its_user_is_refused() {
    let (elsewhere, conduit) = (Conduit::new().await, Conduit::new().await);
    elsewhere.register("first").await;
    let stale = elsewhere.register("second").await;
    let token = conduit.register("ann").await;
    let article = conduit.publish(&token, "Title", &[]).await;
    let path = format!("/api/articles/{}", article["slug"].as_str().unwrap());
    let app = &conduit.app;
    let new = json!({ "article": { "title": "t", "description": "d", "body": "b" } });
    let comment = json!({ "comment": { "body": "b" } });
    for request in [
        app.get("/api/user"),
        app.post("/api/articles").json(&new),
        app.post(&format!("{path}/favorite")),
        app.post(&format!("{path}/comments")).json(&comment),
        app.post("/api/profiles/ann/follow"),
    ] {
        auth(request, &stale).send().await.expect(401);
    }
    elsewhere.finish().await;
    conduit.finish().await;
}
