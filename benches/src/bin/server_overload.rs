//! arcly-http with two operations that can be overloaded, run as an application is:
//! `--listen` and `--admin` name its ports.

use std::hint::black_box;
use std::time::Duration;

use arcly_http::prelude::*;
use tokio::sync::Semaphore;

/// Like a pool of connections to a database.
#[derive(Injectable)]
struct Pool {
    #[inject(default = Semaphore::new(10))]
    places: Semaphore,
}

/// About 2 ms.
const SPINS: u32 = 1_000_000;

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

    /// Keeps the processor busy: the same work each time, however long others keep it
    /// from the processor.
    #[get("/spin")]
    #[public]
    async fn spin(&self) -> &'static str {
        tokio::task::yield_now().await;
        let mut state = 1_u64;
        for _ in 0..SPINS {
            state = black_box(state).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17);
        }
        black_box(state);
        "done"
    }
}

#[module(root, providers(Pool), controllers(Controller))]
struct AppModule;

#[arcly_http::main(AppModule)]
fn main() {}
