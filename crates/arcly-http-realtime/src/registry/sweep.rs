//! Pings, and the end of those who do not answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arcly_http_core::task::Stop;

use super::{ConnectionRegistry, Frames, lock};
use crate::client::Client;
use crate::line::{Cause, Verdict};
use crate::protocol::{self, CloseCode};

/// Most sockets that are looked at before others have their turn.
const STEP: usize = 512;

impl ConnectionRegistry {
    /// Looks at every socket once a period. A sweep that comes late counts as one: missed
    /// pings are left out.
    pub(super) async fn sweep(&self, stop: Stop) {
        let ping = Frames::from(protocol::ping(b""));
        loop {
            let period = Duration::from_millis(self.0.period.load(Ordering::Relaxed));
            if stop.until(self.0.clock.sleep(period)).await.is_none() {
                return;
            }
            let mut depth = 0;
            let mut step: Vec<Arc<Client>> = vec![];
            for shard in &self.0.shards {
                let mut place = 0;
                loop {
                    step.clear();
                    {
                        let clients = lock(&shard.clients);
                        let rest = clients.places.get(place..).unwrap_or_default();
                        step.extend(rest.iter().take(STEP).flatten().cloned());
                        place += rest.len().min(STEP);
                        if rest.is_empty() {
                            break;
                        }
                    }
                    for client in &step {
                        depth += client.line.depth();
                        self.look_at(client, &ping);
                    }
                    tokio::task::yield_now().await;
                }
            }
            self.note_depth(depth);
        }
    }

    fn look_at(&self, client: &Client, ping: &Frames) {
        let tick = self.tick();
        let tuning = &client.served.tuning;
        let since = |time: Duration| tick.saturating_sub(self.ticks(time));
        if client.line.is_blocked_since(since(tuning.write_timeout)) {
            client.evict();
            return;
        }
        if !tuning.idle_timeout.is_zero() && client.seen() <= since(tuning.idle_timeout) {
            self.0.metrics.idle_reaped.increment();
            client.line.end(Verdict {
                cause: Cause::Idle,
                code: CloseCode::GOING_AWAY,
                reason: "nothing was heard for too long".into(),
            });
            return;
        }
        if let Some(expiry) = client.expiry()
            && self.0.clock.now().timestamp() >= expiry
        {
            client.line.end(Verdict {
                cause: Cause::Revoked,
                code: crate::client::CREDENTIALS_EXPIRED,
                reason: "the credentials have expired".into(),
            });
            return;
        }
        if !tuning.ping_interval.is_zero() {
            let every = self.ticks(tuning.ping_interval).max(1);
            // Spread by id, so that not all are pinged at once.
            if (tick + client.id).is_multiple_of(every) {
                self.deliver(client, ping);
            }
        }
    }
}
