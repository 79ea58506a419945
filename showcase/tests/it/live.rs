//! `/live`: who watches what is told of it, once, and nobody else.

use arcly_http_testing::TestSocket;
use serde_json::{Value, json};

use crate::conduit::{Conduit, auth};

/// A socket that watches one thing.
async fn watching(conduit: &Conduit, event: &str, data: Value) -> TestSocket {
    let mut socket = conduit.app.get("/live").open_socket().await.unwrap();
    socket.ask(event, data).await.unwrap();
    socket
}

/// The names and data of what a socket was sent, up to now: what is asked is answered
/// behind it.
async fn told(socket: &mut TestSocket) -> Vec<(String, Value)> {
    let end = json!({ "event": "tag.unwatch", "data": { "tag": "-" }, "id": "end" });
    socket.send_text(&end.to_string()).await;
    let mut told = vec![];
    loop {
        let text = socket.message().await;
        let mut message: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
        if message["id"] == "end" {
            return told;
        }
        told.push((message["event"].as_str().unwrap().to_owned(), message["data"].take()));
    }
}

/// Asserts that each socket was told one thing, the same, and gives it.
async fn told_once(sockets: &mut [&mut TestSocket], event: &str) -> Value {
    let mut first = None;
    for (at, socket) in sockets.iter_mut().enumerate() {
        let mut told = told(socket).await;
        assert_eq!(told.len(), 1, "socket {at}: {told:?}");
        let (name, data) = told.remove(0);
        assert_eq!(name, event, "socket {at}");
        assert_eq!(*first.get_or_insert_with(|| data.clone()), data);
    }
    first.unwrap()
}

#[tokio::test]
async fn every_change_reaches_who_watches_once_and_nobody_else() {
    let conduit = Conduit::new().await;
    let app = &conduit.app;
    let (ann, bob) = (conduit.register("ann").await, conduit.register("bob").await);
    // As ann and bob see it, articles look otherwise than to nobody in particular.
    for (who, whom) in [(&ann, "ann"), (&bob, "ann")] {
        let path = format!("/api/profiles/{whom}/follow");
        auth(app.post(&path), who).send().await.expect(200);
    }
    let mut feed = watching(&conduit, "feed.watch", json!(null)).await;
    let mut rust = watching(&conduit, "tag.watch", json!({ "tag": "rust" })).await;
    let mut author = watching(&conduit, "author.watch", json!({ "author": "ann" })).await;
    let mut article = watching(&conduit, "article.watch", json!({ "slug": "one" })).await;
    let mut others = watching(&conduit, "tag.watch", json!({ "tag": "go" })).await;
    others.ask("author.watch", json!({ "author": "bob" })).await.unwrap();
    others.ask("article.watch", json!({ "slug": "two" })).await.unwrap();
    let mut all = watching(&conduit, "feed.watch", json!(null)).await;
    for tag in ["rust", "web"] {
        all.ask("tag.watch", json!({ "tag": tag })).await.unwrap();
    }
    all.ask("author.watch", json!({ "author": "ann" })).await.unwrap();
    let now = all.ask("article.watch", json!({ "slug": "one" })).await.unwrap();
    assert_eq!(now, json!({ "slug": "one", "watching": true, "article": null }));

    conduit.publish(&ann, "One", &["rust", "web"]).await;
    let mut watchers = [&mut feed, &mut rust, &mut author, &mut article, &mut all];
    let published = told_once(&mut watchers, "article.published").await;
    let list = app.get("/api/articles").send().await.expect(200).value();
    assert_eq!(published, json!({ "article": list["articles"][0] }));
    assert_eq!(published["article"]["author"]["following"], false);

    // From now on the feed, which is for new articles, is told nothing.
    let mut watchers = [&mut rust, &mut author, &mut article, &mut all];
    let favorite = "/api/articles/one/favorite";
    for _ in 0..2 {
        auth(app.post(favorite), &bob).send().await.expect(200);
    }
    let changed = told_once(&mut watchers, "favorite.changed").await;
    assert_eq!(changed, json!({ "slug": "one", "favoritesCount": 1 }));
    for _ in 0..2 {
        auth(app.delete(favorite), &bob).send().await.expect(200);
    }
    assert_eq!(told_once(&mut watchers, "favorite.changed").await["favoritesCount"], 0);
    auth(app.post(favorite), &ann).send().await.expect(200);
    told_once(&mut watchers, "favorite.changed").await;

    let comment = json!({ "comment": { "body": "Nice" } });
    let request = auth(app.post("/api/articles/one/comments"), &ann).json(&comment);
    let own = request.send().await.expect(200).value();
    assert_eq!(own["comment"]["author"]["following"], true);
    let added = told_once(&mut watchers, "comment.added").await;
    let list = app.get("/api/articles/one/comments").send().await.expect(200).value();
    assert_eq!(added, json!({ "slug": "one", "comment": list["comments"][0] }));
    let id = added["comment"]["id"].as_i64().unwrap();
    let path = format!("/api/articles/one/comments/{id}");
    auth(app.delete(&path), &ann).send().await.expect(204);
    let gone = told_once(&mut watchers, "comment.deleted").await;
    assert_eq!(gone, json!({ "slug": "one", "id": id }));

    // Who watches the old slug is told the new one.
    all.ask("article.watch", json!({ "slug": "uno" })).await.unwrap();
    let mut watchers = [&mut rust, &mut author, &mut article, &mut all];
    let change = json!({ "article": { "title": "Uno" } });
    let own = auth(app.put("/api/articles/one"), &ann).json(&change).send().await.expect(200);
    assert_eq!(own.value()["article"]["favorited"], true);
    let updated = told_once(&mut watchers, "article.updated").await;
    let list = app.get("/api/articles").send().await.expect(200).value();
    assert_eq!(updated, json!({ "slug": "one", "article": list["articles"][0] }));
    assert_eq!(updated["article"]["slug"], "uno");
    assert_eq!(updated["article"]["favorited"], false);

    let now = article.ask("article.watch", json!({ "slug": "uno" })).await.unwrap();
    assert_eq!(now["article"], updated["article"]);
    article.ask("article.unwatch", json!({ "slug": "one" })).await.unwrap();
    auth(app.delete("/api/articles/uno"), &ann).send().await.expect(204);
    let mut watchers = [&mut rust, &mut author, &mut article, &mut all];
    let gone = told_once(&mut watchers, "article.deleted").await;
    assert_eq!(gone, json!({ "slug": "uno" }));

    for socket in [&mut feed, &mut others] {
        assert_eq!(told(socket).await, []);
    }
    conduit.finish().await;
}

#[tokio::test]
async fn who_watches_no_more_is_told_no_more() {
    let conduit = Conduit::new().await;
    let ann = conduit.register("ann").await;
    for (topic, data) in [
        ("feed", json!(null)),
        ("tag", json!({ "tag": "rust" })),
        ("author", json!({ "author": "ann" })),
        ("article", json!({ "slug": "one" })),
    ] {
        let mut socket = watching(&conduit, &format!("{topic}.watch"), data.clone()).await;
        socket.ask(&format!("{topic}.watch"), data.clone()).await.unwrap();
        let article = conduit.publish(&ann, "One", &["rust"]).await;
        told_once(&mut [&mut socket], "article.published").await;
        let path = format!("/api/articles/{}", article["slug"].as_str().unwrap());
        auth(conduit.app.delete(&path), &ann).send().await.expect(204);
        socket.ask(&format!("{topic}.unwatch"), data.clone()).await.unwrap();
        told(&mut socket).await;
        // Twice is once.
        socket.ask(&format!("{topic}.unwatch"), data).await.unwrap();
        conduit.publish(&ann, "One", &["rust"]).await;
        assert_eq!(told(&mut socket).await, [], "{topic}");
        auth(conduit.app.delete(&path), &ann).send().await.expect(204);
        socket.close().await;
    }
    conduit.finish().await;
}

#[tokio::test]
async fn nothing_is_told_of_what_did_not_happen() {
    let (elsewhere, conduit) = (Conduit::new().await, Conduit::new().await);
    let app = &conduit.app;
    elsewhere.register("first").await;
    elsewhere.register("second").await;
    // Of a user who does not exist here: the write fails after it was begun.
    let stale = elsewhere.register("third").await;
    let (ann, bob) = (conduit.register("ann").await, conduit.register("bob").await);
    conduit.publish(&ann, "One", &["rust"]).await;
    let comment = json!({ "comment": { "body": "Nice" } });
    let request = auth(app.post("/api/articles/one/comments"), &ann).json(&comment);
    let id = request.send().await.expect(200).value()["comment"]["id"].as_i64().unwrap();

    let mut socket = watching(&conduit, "feed.watch", json!(null)).await;
    socket.ask("tag.watch", json!({ "tag": "rust" })).await.unwrap();
    for author in ["ann", "bob"] {
        socket.ask("author.watch", json!({ "author": author })).await.unwrap();
    }
    let new = json!({ "article": { "title": "Two", "description": "d", "body": "b", "tagList": ["rust"] } });
    let blank =
        json!({ "article": { "title": "", "description": "d", "body": "b", "tagList": ["rust"] } });
    let change = json!({ "article": { "title": "Uno" } });
    let comments = "/api/articles/one/comments";
    for (request, who, status) in [
        (app.post("/api/articles").json(&new), &stale, 401),
        (app.post("/api/articles").json(&blank), &ann, 422),
        (app.put("/api/articles/one").json(&change), &bob, 403),
        (app.put("/api/articles/none").json(&change), &ann, 404),
        (app.delete("/api/articles/one"), &bob, 403),
        (app.post("/api/articles/one/favorite"), &stale, 401),
        (app.delete("/api/articles/one/favorite"), &bob, 200),
        (app.post(comments).json(&comment), &stale, 401),
        (app.post(comments).json(&json!({ "comment": { "body": "" } })), &bob, 422),
        (app.delete(&format!("{comments}/{id}")), &bob, 403),
    ] {
        auth(request, who).send().await.expect(status);
    }
    assert_eq!(told(&mut socket).await, []);
    conduit.publish(&ann, "Two", &[]).await;
    told_once(&mut [&mut socket], "article.published").await;
    elsewhere.finish().await;
    conduit.finish().await;
}

#[tokio::test]
async fn a_refused_event_names_the_field() {
    let conduit = Conduit::new().await;
    let mut socket = conduit.app.get("/live").open_socket().await.unwrap();
    let long = "x".repeat(1025);
    for (topic, field) in [("tag", "tag"), ("author", "author"), ("article", "slug")] {
        for word in ["watch", "unwatch"] {
            for value in ["", long.as_str()] {
                let asked = socket.ask(&format!("{topic}.{word}"), json!({ field: value })).await;
                let problem = asked.unwrap_err();
                assert_eq!(problem["status"], 422, "{problem}");
                assert_eq!(problem["violations"][0]["field"], field, "{problem}");
            }
        }
    }
    let problem = socket.ask("tag.watch", json!({})).await.unwrap_err();
    assert!(problem.to_string().contains("tag"), "{problem}");
    // It goes on.
    let tag = socket.ask("tag.watch", json!({ "tag": "rust" })).await.unwrap();
    assert_eq!(tag, json!({ "tag": "rust", "watching": true }));
    let tag = socket.ask("tag.unwatch", json!({ "tag": "rust" })).await.unwrap();
    assert_eq!(tag, json!({ "tag": "rust", "watching": false }));
    conduit.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_are_told_in_the_order_in_which_they_happened() {
    let conduit = Conduit::new().await;
    let ann = conduit.register("ann").await;
    conduit.publish(&ann, "One", &[]).await;
    let mut socket = watching(&conduit, "article.watch", json!({ "slug": "one" })).await;
    // On threads of their own, so that they really race.
    let mut running = tokio::task::JoinSet::new();
    for number in 0..4 {
        let token = conduit.register(&format!("user{number}")).await;
        let (path, app) = ("/api/articles/one/favorite", &conduit.app);
        let requests: Vec<_> = (0..25)
            .flat_map(|_| [auth(app.post(path), &token), auth(app.delete(path), &token)])
            .collect();
        running.spawn(async move {
            for request in requests {
                request.send().await.expect(200);
            }
        });
    }
    running.join_all().await;
    let mut before = 0;
    for _ in 0..4 * 50 {
        let count = socket.event("favorite.changed").await["favoritesCount"].as_i64().unwrap();
        assert_eq!((count - before).abs(), 1, "{before}, then {count}");
        before = count;
    }
    assert_eq!(before, 0);
    assert_eq!(told(&mut socket).await, []);
    conduit.finish().await;
}

#[tokio::test]
async fn the_document_has_the_handshake_and_errors_stay_as_they_were() {
    let conduit = Conduit::new().await;
    let app = &conduit.app;
    let document = app.openapi();
    let responses = &document["paths"]["/live"]["get"]["responses"];
    assert!(responses["101"].is_object() && responses["426"].is_object(), "{responses}");
    // Below `/api` as its document says, elsewhere as problems are.
    for (path, is_of_api) in [
        ("/api/nothing", true),
        ("/api/articles/none", true),
        ("/nothing", false),
        ("/live/x", false),
    ] {
        let response = app.get(path).send().await.expect(404);
        assert_eq!(response.value()["errors"].is_object(), is_of_api, "{path}");
        let media_type = if is_of_api { "application/json" } else { "application/problem+json" };
        assert_eq!(response.headers["content-type"], media_type, "{path}");
    }
    let refused = app.post("/live").send().await.expect(405);
    assert!(refused.value()["errors"].is_null());
    let refused = app.delete("/api/articles").send().await.expect(405);
    assert!(refused.value()["errors"].is_object());
    conduit.finish().await;
}

#[tokio::test]
async fn the_page_and_its_files_are_there() {
    let conduit = Conduit::new().await;
    let app = &conduit.app;
    let page = app.get("/").send().await.expect(200);
    let policy = page.headers["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    let html = page.text();
    assert!(!html.contains("style=") && !html.contains("onclick") && !html.contains("://"));
    let mut files: Vec<String> =
        html.split('"').filter(|text| text.starts_with("/page/")).map(str::to_owned).collect();
    for script in ["/page/app.js", "/page/api.js", "/page/live.js", "/page/view.js"] {
        let text = app.get(script).send().await.expect(200).text();
        for danger in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!text.contains(danger), "{script} has {danger}");
        }
        let imports = text.split('"').filter(|text| text.starts_with("./"));
        files.extend(imports.map(|file| file.replacen("./", "/page/", 1)));
    }
    assert!(files.len() > 5, "{files:?}");
    for file in files {
        let found = app.get(&file).send().await.expect(200);
        let tag = found.headers["etag"].to_str().unwrap().to_owned();
        app.get(&file).header("if-none-match", &tag).send().await.expect(304);
    }
    conduit.finish().await;
}
