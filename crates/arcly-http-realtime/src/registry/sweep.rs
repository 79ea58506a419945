//! Pings, and the end of those who do not answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arcly_http_core::task::Stop;

use super::{ConnectionRegistry, Frames, lock};
use crate::client::{Client, Way};
use crate::line::{Cause, Verdict};
use crate::protocol::{self, CloseCode};

/// Most sockets that are looked at before others have their turn.
const STEP: usize = 512;

impl ConnectionRegistry {
    /// Looks at every socket once a period. A sweep that comes late pings once: missed pings
    /// are left out.
    pub(super) async fn sweep(&self, stop: Stop) {
        let ping = Frames::from(protocol::ping(b""));
        let begun = self.0.clock.elapsed();
        let first = self.tick();
        loop {
            let period = Duration::from_millis(self.0.period.load(Ordering::Relaxed));
            if stop.until(self.0.clock.sleep(period)).await.is_none() {
                return;
            }
            let passed = self.0.clock.elapsed().saturating_sub(begun).as_millis();
            let passed = passed / period.as_millis().max(1);
            let last = self.tick();
            let tick = first + u64::try_from(passed).unwrap_or_default();
            self.0.tick.fetch_max(tick, Ordering::Relaxed);
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
                        self.look_at(client, &ping, last);
                    }
                    tokio::task::yield_now().await;
                }
            }
            self.note_depth(depth);
        }
    }

    fn look_at(&self, client: &Client, ping: &Frames, last: u64) {
        let tick = self.tick();
        let tuning = &client.served.tuning;
        let since = |time: Duration| tick.saturating_sub(self.ticks(time));
        if client.line.is_blocked_since(since(tuning.write_timeout)) {
            client.evict();
            return;
        }
        // Nothing is ever heard of who only listens.
        let can_be_idle = !tuning.idle_timeout.is_zero() && client.way != Way::Events;
        if can_be_idle && client.seen() <= since(tuning.idle_timeout) {
            let is_first = client.line.end(Verdict {
                cause: Cause::Idle,
                code: CloseCode::GOING_AWAY,
                reason: "nothing was heard for too long".into(),
            });
            if is_first {
                self.0.metrics.idle_reaped.increment();
            }
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
            if (tick + client.id) / every > (last + client.id) / every {
                self.deliver(client, ping);
            }
        }
    }
}
