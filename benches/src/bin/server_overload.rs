//! arcly-http with two operations that can be overloaded, run as an application is:
//! `--listen` and `--admin` name its ports.

use std::hint::spin_loop;
use std::time::{Duration, Instant};

use arcly_http::prelude::*;
use tokio::sync::Semaphore;

/// Like a pool of connections to a database.
#[derive(Injectable)]
struct Pool {
    #[inject(default = Semaphore::new(10))]
    places: Semaphore,
}

#[derive(Injectable)]
struct Controller {
    pool: Inject<Pool>,
}

#[controller]
impl Controller {
    /// Waits 20 ms, ten at a time: 500 a second.
    #[get("/wait")]
    #[public]
    async fn wait(&self) -> &'static str {
        let _place = self.pool.places.acquire().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        "done"
    }

    /// Keeps the processor busy for 2 ms: less than 500 a second.
    #[get("/spin")]
    #[public]
    async fn spin(&self) -> &'static str {
        tokio::task::yield_now().await;
        let until = Instant::now() + Duration::from_millis(2);
        while Instant::now() < until {
            spin_loop();
        }
        "done"
    }
}

#[module(root, providers(Pool), controllers(Controller))]
struct AppModule;

#[arcly_http::main(AppModule)]
fn main() {}
