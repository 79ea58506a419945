//! Every layer, with right and wrong values.

use std::time::Duration;

use super::*;

struct Server {
    listen: std::net::SocketAddr,
    workers: u8,
    seed: bool,
    key: Option<Secret>,
    wait: Duration,
}

const fn field<T: ConfigValue>(
    key: &'static str,
    env: &'static str,
    flag: &'static str,
    default: Option<&'static str>,
) -> FieldMeta {
    let value = ValueMeta::of::<T>();
    let (doc, secret, optional_in_dev) = ("Doc.", false, false);
    FieldMeta { key, doc, env, flag, default, secret, optional_in_dev, value }
}

impl ConfigSection for Server {
    const SECTION: &'static SectionMeta = &SectionMeta {
        name: "server",
        fields: &[
            field::<std::net::SocketAddr>("listen", "LISTEN", "listen", Some("127.0.0.1:3000")),
            field::<u8>("workers", "SERVER_WORKERS", "server-workers", Some("8")),
            field::<bool>("seed", "SEED", "seed", None),
            FieldMeta {
                secret: true,
                optional_in_dev: true,
                ..field::<Option<Secret>>("key", "KEY", "key", None)
            },
            field::<Duration>("wait", "WAIT", "wait", Some("10s")),
            field::<ByteSize>("body", "BODY", "body", Some("2MiB")),
            field::<String>("name", "NAME", "name", Some("x")),
            field::<Vec<u16>>("ports", "PORTS", "ports", None),
            field::<f64>("rate", "RATE", "rate", Some("0.5")),
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

fn sources() -> ConfigSources {
    ConfigSources::new().default_profile(Profile::Dev)
}

fn load(sources: &ConfigSources) -> Result<Config, ConfigErrors> {
    match sources.load(&[Server::SECTION])? {
        Loaded::Config(config) => Ok(config),
        Loaded::Help(text) => panic!("{text}"),
    }
}

fn faults(sources: &ConfigSources) -> String {
    match load(sources).and_then(|config| config.read::<Server>().map(|_| ())) {
        Ok(()) => String::new(),
        Err(errors) => errors.to_string(),
    }
}

/// One fault, with all of these in it.
#[track_caller]
fn refused(sources: &ConfigSources, parts: &[&str]) {
    let text = faults(sources);
    assert_eq!(text.lines().count(), 1, "{text}");
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in:{text}");
    }
}

fn var(name: &str, value: &str) -> [(String, String); 1] {
    [(name.to_owned(), value.to_owned())]
}

/// A folder that goes when the test ends.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("arcly-config-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn with(&self, bytes: impl AsRef<[u8]>) -> ConfigSources {
        let file = self.0.join("a.toml");
        std::fs::write(&file, bytes).unwrap();
        sources().file(file)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn later_layers_win() {
    let folder = Folder::new("layers");
    let sources = folder.with("[server]\nworkers = 2\nwait = \"250ms\"\n");
    let sources = sources.env(var("SERVER_WORKERS", "3"));
    let server: Server = load(&sources).unwrap().read().unwrap();
    assert_eq!((server.workers, server.wait), (3, Duration::from_millis(250)));
    assert_eq!(server.listen.port(), 3000);
    assert!(!server.seed && server.key.is_none());
    let sources = sources.args(["--server-workers=4", "--seed"]);
    let server: Server = load(&sources).unwrap().read().unwrap();
    assert_eq!((server.workers, server.seed), (4, true));
    let server: Server = load(&sources.set("server.workers", "5")).unwrap().read().unwrap();
    assert_eq!(server.workers, 5);
}

/// Values of the wrong kind, in each layer that can hold them.
const WRONG: [(&str, &str, &str, &str, &str); 24] = [
    // key, environment variable, flag, value, what is expected
    ("listen", "LISTEN", "listen", "nowhere", "an address with port"),
    ("listen", "LISTEN", "listen", "127.0.0.1", "an address with port"),
    ("listen", "LISTEN", "listen", "127.0.0.1:70000", "an address with port"),
    ("workers", "SERVER_WORKERS", "server-workers", "many", "a whole number from 0 to 255"),
    ("workers", "SERVER_WORKERS", "server-workers", "256", "a whole number from 0 to 255"),
    ("workers", "SERVER_WORKERS", "server-workers", "-1", "a whole number from 0 to 255"),
    ("workers", "SERVER_WORKERS", "server-workers", "1.5", "a whole number from 0 to 255"),
    ("workers", "SERVER_WORKERS", "server-workers", "", "a whole number from 0 to 255"),
    ("seed", "SEED", "seed", "maybe", "`true` or `false`"),
    ("wait", "WAIT", "wait", "10", "a duration with a unit"),
    ("wait", "WAIT", "wait", "-1s", "a duration with a unit"),
    ("wait", "WAIT", "wait", "1.5s", "a duration with a unit"),
    ("wait", "WAIT", "wait", "10 days", "a duration with a unit"),
    ("wait", "WAIT", "wait", "99999999999999999999h", "a duration with a unit"),
    ("wait", "WAIT", "wait", "18446744073709551615h", "a duration with a unit"),
    ("body", "BODY", "body", "2", "a size with a unit"),
    ("body", "BODY", "body", "2MB", "a size with a unit"),
    ("body", "BODY", "body", "MiB", "a size with a unit"),
    ("body", "BODY", "body", "18446744073709551615GiB", "a size with a unit"),
    ("ports", "PORTS", "ports", "80,http", "a list, each a whole number from 0 to 65535"),
    ("ports", "PORTS", "ports", "80,65536", "a list, each a whole number from 0 to 65535"),
    ("rate", "RATE", "rate", "NaN", "a number"),
    ("rate", "RATE", "rate", "inf", "a number"),
    ("key", "KEY", "key", "", "a secret that is not empty"),
];

#[test]
fn wrong_values_are_refused_in_every_layer() {
    let folder = Folder::new("wrong");
    for (key, env, flag, value, expected) in WRONG {
        let name = format!("`server.{key}`");
        let file = folder.with(format!("[server]\n\n{key} = \"{value}\"\n"));
        refused(&file, &[&name, expected, "a.toml:3"]);
        let origin = format!("environment {env}");
        refused(&sources().env(var(env, value)), &[&name, expected, &origin]);
        let origin = format!("flag --{flag}");
        refused(&sources().args([format!("--{flag}={value}")]), &[&name, expected, &origin]);
        let set = sources().set(format!("server.{key}"), value);
        refused(&set, &[&name, expected, "set by the program"]);
    }
}

#[test]
fn wrong_defaults_are_refused() {
    static SECTION: SectionMeta = SectionMeta {
        name: "",
        fields: &[
            field::<u8>("small", "SMALL", "small", Some("300")),
            field::<u8>("unset", "UNSET", "unset", None),
        ],
    };
    let text = sources().load(&[&SECTION]).unwrap_err().to_string();
    assert!(
        text.contains("`small`: `300` is not a whole number from 0 to 255 (default)"),
        "{text}"
    );
    assert!(text.contains("`unset` is missing; set it in the file"), "{text}");
    assert!(text.contains("variable UNSET or by --unset"), "{text}");
    let twice = sources().load(&[&SECTION, &SECTION]).unwrap_err().to_string();
    assert!(twice.contains("`small` is declared by two sections"), "{twice}");
    static OTHER: SectionMeta =
        SectionMeta { name: "other", fields: &[field::<u8>("x", "LISTEN", "x", Some("1"))] };
    let claimed = sources().load(&[Server::SECTION, &OTHER]).unwrap_err().to_string();
    assert!(claimed.contains("`server.listen` and `other.x` claim the same"), "{claimed}");
}

#[test]
fn wrong_files_are_refused() {
    let folder = Folder::new("files");
    let cases: [(&[u8], &[&str]); 12] = [
        (
            b"[server]\nworkerz = 2\n",
            &["`server.workerz` is not known; did you mean `server.workers`?", "a.toml:2"],
        ),
        (b"x = 1\n\n[servr]\nworkers = 2\n", &["`x` is not known"]),
        (b"[servr]\nworkers = 2\n", &["`servr` is not known; did you mean `server`?", "a.toml:1"]),
        (b"workers = 2\n", &["`workers` is not known", "a.toml:1"]),
        (b"server = 2\n", &["`server` is a section: write `[server]`", "a.toml:1"]),
        (b"[server]\nworkers = [1, 2]\n", &["is not a single value", "a.toml:2"]),
        (b"[server]\nports = [80, \"x\"]\n", &["a list, each a whole number", "a.toml:2"]),
        (b"[server.listen]\nport = 2\n", &["`server.listen`", "is not a single value"]),
        (b"[server]\nname = 7\n", &["`7` is not a text in quotes", "a.toml:2"]),
        (b"[server]\nworkers = true\n", &["`true` is not a whole number", "a.toml:2"]),
        (b"[server\n", &["is not TOML", "a.toml:1"]),
        (b"\n[server]\nname = \"\xff\"\n", &["cannot be read", "UTF-8"]),
    ];
    for (text, parts) in cases {
        let shown = String::from_utf8_lossy(text);
        let text = faults(&folder.with(text));
        for part in parts {
            assert!(text.contains(part), "{shown}: `{part}` is not in:\n{text}");
        }
    }
    // The line is not shown: it may be a secret.
    let broken = faults(&folder.with("[server]\nname = \"x\"\nkey = \"hunter2\n"));
    assert!(broken.contains("a.toml:3") && !broken.contains("hunter2"), "{broken}");
    let twice = faults(&folder.with("[server]\nworkers = 1\nworkers = 2\n"));
    assert!(twice.contains("is not TOML: duplicate key") && twice.contains("a.toml:3"), "{twice}");

    refused(&sources().file(folder.0.join("none.toml")), &["none.toml cannot be read"]);
    let named = folder.0.join("none.toml").display().to_string();
    refused(&sources().args(["--config", &named]), &["none.toml cannot be read"]);
    refused(&sources().args(["--config", "/"]), &["/ cannot be read", "directory"]);
}

#[test]
fn wrong_flags_are_refused() {
    let cases: [(&[&str], &str); 12] = [
        (&["--listne", "127.0.0.1:1"], "flag --listne is not known; did you mean `--listen`?"),
        (&["--confg", "x"], "did you mean `--config`?"),
        (&["--nothing-like-it"], "flag --nothing-like-it is not known; see --help"),
        (&["stray"], "argument `stray` is not known; see --help"),
        (&["--seed", "stray"], "argument `stray` is not known; see --help"),
        (&["-x"], "argument `-x` is not known; see --help"),
        (&["--"], "flag -- is not known"),
        (&["--listen"], "flag --listen needs a value"),
        (&["--listen", "--seed"], "flag --listen needs a value"),
        (&["--config"], "flag --config needs a value"),
        (&["--seed", "--seed"], "flag --seed is given twice"),
        (&["--wait=1s", "--wait", "2s"], "flag --wait is given twice"),
    ];
    for (args, expected) in cases {
        refused(&sources().args(args.iter().copied()), &[expected]);
    }
}

#[test]
fn unknown_variables_are_refused_with_our_prefix_only() {
    let near = sources().env(var("ARCLY_PROFIL", "dev"));
    refused(&near, &["variable ARCLY_PROFIL is not known; did you mean `ARCLY_PROFILE`?"]);
    assert_eq!(faults(&sources().env(var("HOME", "/"))), "");
    assert_eq!(faults(&sources().env(var("ARCLY_DESCRIBE", "config"))), "");
    refused(&sources().set("server.x", "1"), &["`server.x` is not known"]);
}

#[test]
fn all_faults_are_reported_at_once() {
    let folder = Folder::new("all");
    let sources = folder
        .with("[server]\nworkerz = 1\nworkers = 1000\n")
        .env(var("LISTEN", "nowhere"))
        .env(var("ARCLY_X", "1"))
        .args(["--wait", "10", "--lst"])
        .set("profile", "prod");
    let text = faults(&sources);
    for part in [
        "`server.workerz` is not known",
        "`1000` is not a whole number from 0 to 255",
        "`nowhere` is not an address with port",
        "ARCLY_X is not known",
        "`10` is not a duration with a unit",
        "flag --lst is not known",
        "`profile`: `prod` is not `dev`, `test` or `production`",
        // Nothing is relaxed for a profile that nobody knows.
        "`server.key` has to be set in profile `production`",
    ] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

#[test]
fn secrets_have_to_be_set_outside_dev() {
    let folder = Folder::new("profile");
    assert_eq!(load(&sources()).unwrap().profile(), Profile::Dev);
    for production in [
        folder.with("profile = \"production\"\n"),
        sources().env(var("ARCLY_PROFILE", "production")),
        sources().args(["--profile", "production"]),
        sources().set("profile", "production"),
        sources().default_profile(Profile::Production),
        ConfigSources::new(),
    ] {
        let parts = [
            "`server.key` has to be set in profile `production`",
            "by the environment variable KEY or by --key; only `--profile dev` does without",
        ];
        refused(&production, &parts);
        let config = load(&production.env(var("KEY", "hunter2"))).unwrap();
        assert_eq!(config.profile(), Profile::Production);
    }
    let parts = ["in profile `test`", "a test sets it by `.set(\"server.key\", \"..\")`"];
    refused(&sources().args(["--profile=test"]), &parts);

    static DEFAULT: SectionMeta = SectionMeta {
        name: "",
        fields: &[FieldMeta {
            secret: true,
            ..field::<Secret>("pepper", "PEPPER", "pepper", Some("changeme"))
        }],
    };
    assert!(sources().load(&[&DEFAULT]).is_ok());
    let text = ConfigSources::new().load(&[&DEFAULT]).unwrap_err().to_string();
    assert!(text.contains("`pepper` has to be set in profile `production`"), "{text}");
}

#[test]
fn secrets_are_not_shown() {
    let config = load(&sources().env(var("KEY", "hunter2"))).unwrap();
    let described = config.describe();
    assert!(!format!("{described:?}").contains("hunter2"));
    let key = described.iter().find(|entry| entry.key == "server.key").unwrap();
    assert_eq!(key.value.as_deref(), Some("***"));
    assert_eq!(key.origin, Some(Origin::Environment("KEY".to_owned())));
    let ports = described.iter().find(|entry| entry.key == "server.ports").unwrap();
    assert_eq!((ports.value.as_deref(), ports.kind.as_str()), (None, "number,.."));
    let server: Server = config.read().unwrap();
    assert_eq!(server.key.as_ref().map(Secret::expose), Some("hunter2"));
    assert!(!format!("{:?}", server.key).contains("hunter2"));
}

#[test]
fn help_lists_every_key() {
    let Ok(Loaded::Help(text)) = sources().args(["--help"]).load(&[Server::SECTION]) else {
        panic!("help was asked for");
    };
    for part in [
        "--listen <address:port>\n      Doc.\n      \
         [key: server.listen, env: LISTEN, default: 127.0.0.1:3000]",
        "--seed\n",
        "--key <secret>",
        "[key: server.key, env: KEY, may be missing in profile dev only, secret]",
        "--ports <number,..>",
        "--wait <duration>",
        "--profile <dev|test|production>",
        "--config <path>",
    ] {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}
