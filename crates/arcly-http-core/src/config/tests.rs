//! Every layer, with right and wrong values.

use std::time::Duration;

use super::*;

struct Server {
    listen: std::net::SocketAddr,
    workers: u32,
    seed: bool,
    key: Option<Secret>,
    wait: Duration,
}

const fn field(
    key: &'static str,
    env: &'static str,
    flag: &'static str,
    default: Option<&'static str>,
) -> FieldMeta {
    FieldMeta { key, doc: "Doc.", env, flag, default, secret: false, switch: false }
}

impl ConfigSection for Server {
    const SECTION: &'static SectionMeta = &SectionMeta {
        name: "server",
        fields: &[
            field("listen", "LISTEN", "listen", Some("127.0.0.1:3000")),
            field("workers", "SERVER_WORKERS", "server-workers", Some("8")),
            FieldMeta { switch: true, ..field("seed", "SEED", "seed", None) },
            FieldMeta { secret: true, ..field("key", "KEY", "key", None) },
            field("wait", "WAIT", "wait", Some("10s")),
        ],
    };

    fn read(reader: &mut SectionReader<'_>) -> Option<Self> {
        let listen = reader.field("listen");
        let workers = reader.field("workers");
        let seed = reader.field("seed");
        let key = reader.field("key");
        let wait = reader.field("wait");
        Some(Self { listen: listen?, workers: workers?, seed: seed?, key: key?, wait: wait? })
    }
}

fn load(sources: &ConfigSources) -> Result<Config, ConfigErrors> {
    match sources.load(&[Server::SECTION])? {
        Loaded::Config(config) => Ok(config),
        Loaded::Help(text) => panic!("{text}"),
    }
}

#[track_caller]
fn faults(sources: &ConfigSources) -> String {
    match load(sources).and_then(|config| config.read::<Server>().map(|_| ())) {
        Ok(()) => String::new(),
        Err(errors) => errors.to_string(),
    }
}

fn var(name: &str, value: &str) -> [(String, String); 1] {
    [(name.to_owned(), value.to_owned())]
}

#[test]
fn later_layers_win() {
    let folder = std::env::temp_dir().join(format!("arcly-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("a.toml");
    std::fs::write(&file, "[server]\nworkers = 2\nwait = \"250ms\"\n").unwrap();
    let sources = ConfigSources::new().file(&file).env(var("SERVER_WORKERS", "3"));
    let server: Server = load(&sources).unwrap().read().unwrap();
    assert_eq!((server.workers, server.wait), (3, Duration::from_millis(250)));
    assert_eq!(server.listen.port(), 3000);
    assert!(!server.seed && server.key.is_none());
    let sources = sources.args(["--server-workers=4", "--seed"]);
    let server: Server = load(&sources).unwrap().read().unwrap();
    assert!(server.seed);
    assert_eq!(server.workers, 4);

    std::fs::write(&file, "[server]\nworkerz = 2\n").unwrap();
    let text = faults(&ConfigSources::new().file(&file));
    assert!(
        text.contains("`server.workerz` is not known; did you mean `server.workers`?"),
        "{text}"
    );
    assert!(text.contains("a.toml:2"), "{text}");
    std::fs::write(&file, "[server\n").unwrap();
    assert!(faults(&ConfigSources::new().file(&file)).contains("is not TOML"));
    std::fs::remove_dir_all(folder).unwrap();
    assert!(faults(&ConfigSources::new().file(&file)).contains("cannot be read"));
}

#[test]
fn all_faults_are_reported_with_their_origin() {
    let sources = ConfigSources::new().env(var("LISTEN", "nowhere")).args([
        "--server-workers",
        "many",
        "--wait",
        "10",
    ]);
    let text = faults(&sources);
    assert!(text.contains("`server.listen`: `nowhere` is not an address with port"), "{text}");
    assert!(text.contains("(environment LISTEN)"), "{text}");
    assert!(text.contains("`many` is not a whole number"), "{text}");
    assert!(text.contains("(flag --server-workers)"), "{text}");
    assert!(text.contains("a duration with a unit"), "{text}");
}

#[test]
fn unknown_names_are_refused() {
    assert!(
        faults(&ConfigSources::new().args(["--listne", "x"])).contains("did you mean `listen`?")
    );
    assert!(
        faults(&ConfigSources::new().args(["stray"])).contains("argument `stray` is not known")
    );
    assert!(faults(&ConfigSources::new().args(["--listen"])).contains("needs a value"));
    assert!(
        faults(&ConfigSources::new().env(var("ARCLY_X", "1"))).contains("ARCLY_X is not known")
    );
    assert!(faults(&ConfigSources::new().set("server.x", "1")).contains("`server.x` is not known"));
    // Other programs have variables too.
    assert_eq!(faults(&ConfigSources::new().env(var("HOME", "/"))), "");
}

#[test]
fn secrets_are_not_shown() {
    let config = load(&ConfigSources::new().env(var("KEY", "hunter2"))).unwrap();
    assert!(!format!("{:?}", config.describe()).contains("hunter2"));
    let server: Server = config.read().unwrap();
    assert_eq!(server.key.as_ref().map(Secret::expose), Some("hunter2"));
    assert!(!format!("{:?}", server.key).contains("hunter2"));
}

#[test]
fn help_lists_every_flag() {
    let Ok(Loaded::Help(text)) = ConfigSources::new().args(["--help"]).load(&[Server::SECTION])
    else {
        panic!("help was asked for");
    };
    assert!(text.contains("--listen <value>") && text.contains("[env: LISTEN]"), "{text}");
    assert!(text.contains("[default: 127.0.0.1:3000]"), "{text}");
}
