//! Every socket of the application: how many there may be, who is in which room, and
//! which of them are dead.
//!
//! Sockets are spread over shards, one for each worker thread. A shard has a task of its
//! own, the flusher, which walks a room and writes: one system call a member, no task
//! woken, nothing allocated. What was published while the flusher waited for its turn goes
//! out as one write.

mod far;
mod flush;
mod frames;
mod limits;
mod rooms;
mod sweep;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use arcly_http_core::di::{HookError, Key, Lifecycle, Token};
use arcly_http_core::observe::Metrics;
use arcly_http_core::task::{Restart, Stop, Tasks};
use arcly_http_core::time::{Clock, SystemClock};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

pub(crate) use flush::{Addressee, Publish, What};
pub(crate) use frames::{Frames, are_frames};
pub(crate) use limits::{Full, Permit, Whose};
pub(crate) use rooms::{RoomKey, Seat};

use crate::boundary::Served;
use crate::client::Client;
use crate::cluster::{Bus, Node};
use crate::line::{Cause, Verdict};
use crate::metrics::SocketMetrics;
use crate::protocol::CloseCode;
use flush::Pending;
use limits::Counts;
use rooms::Rooms;

/// Every socket of an application, over all its gateways.
///
/// A provider of `RealtimeModule`; injected by those who want to know, as the hub is by
/// those who push. Clones are the same registry.
#[derive(Clone)]
pub struct ConnectionRegistry(Arc<Inner>);

struct Inner {
    shards: Box<[Shard]>,
    counts: Counts,
    next_id: AtomicU64,
    /// Periods that have passed at the last sweep: time as sockets note it, which costs a
    /// load.
    tick: AtomicU64,
    /// In milliseconds.
    period: AtomicU64,
    open: AtomicUsize,
    /// The tasks of sockets: they end by themselves once told, so that `on_disconnect`
    /// runs.
    sockets: TaskTracker,
    tasks: Tasks,
    clock: Arc<dyn Clock>,
    metrics: SocketMetrics,
    /// Whether its tasks run.
    has_begun: AtomicBool,
    node: Node,
    bus: Option<Arc<dyn Bus>>,
    /// By the provider's key. Weak: a gateway holds the registry.
    gateways: Mutex<HashMap<Key, Weak<Served>>>,
}

/// A part of the sockets, and what is on its way to them.
struct Shard {
    clients: Mutex<Clients>,
    rooms: Mutex<Rooms>,
    pending: Mutex<Pending>,
    woken: Notify,
    /// Publishes to several rooms so far. Here and not in the flusher, so that one that was
    /// begun again gives no number twice.
    marks: AtomicU64,
}

/// Places that stay where they are while others come and go, so that somebody who walks
/// over them in steps meets everybody once.
pub(crate) struct Slab<T> {
    places: Vec<Option<T>>,
    free: Vec<u32>,
}

type Clients = Slab<Arc<Client>>;

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { places: vec![], free: vec![] }
    }
}

impl<T> Slab<T> {
    fn insert(&mut self, value: T) -> u32 {
        if let Some(place) = self.free.pop() {
            self.places[place as usize] = Some(value);
            return place;
        }
        self.places.push(Some(value));
        u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
    }

    fn remove(&mut self, place: u32) -> Option<T> {
        let taken = self.places.get_mut(place as usize)?.take()?;
        self.free.push(place);
        if self.free.len() == self.places.len() {
            *self = Self::default();
        }
        Some(taken)
    }

    fn is_empty(&self) -> bool {
        self.free.len() == self.places.len()
    }
}

impl Token for ConnectionRegistry {
    const KEY: Key = Key::of("arcly_http::realtime::ConnectionRegistry", 0, 0);
}

impl fmt::Debug for ConnectionRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionRegistry({} open)", self.len())
    }
}

/// How long the sockets of a stopping application may take to say goodbye.
const GOODBYE_MAX: Duration = Duration::from_secs(5);
/// How long those that did not are waited for.
const CUT_GRACE: Duration = Duration::from_secs(1);

impl ConnectionRegistry {
    /// An empty registry. Its tasks begin with the first gateway.
    #[must_use]
    pub fn new(
        tasks: &Tasks,
        metrics: &Metrics,
        clock: Option<Arc<dyn Clock>>,
        bus: Option<Arc<dyn Bus>>,
    ) -> Self {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let shard = || Shard {
            clients: Mutex::default(),
            rooms: Mutex::default(),
            pending: Mutex::default(),
            woken: Notify::new(),
            marks: AtomicU64::new(0),
        };
        let registry = Self(Arc::new(Inner {
            shards: (0..workers).map(|_| shard()).collect(),
            counts: Counts::default(),
            next_id: AtomicU64::new(1),
            tick: AtomicU64::new(1),
            period: AtomicU64::new(1_000),
            open: AtomicUsize::new(0),
            sockets: TaskTracker::new(),
            tasks: tasks.group("sockets"),
            clock: clock.unwrap_or_else(|| Arc::new(SystemClock)),
            metrics: SocketMetrics::new(metrics),
            has_begun: AtomicBool::new(false),
            gateways: Mutex::default(),
            node: Node::new(),
            bus,
        }));
        if registry.0.bus.is_some() {
            registry.joins();
        }
        registry
    }

    /// How many sockets there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many rooms have somebody in them, those that the hub keeps for gateways and
    /// principals included; a room with members on several shards counts for each.
    #[must_use]
    pub fn rooms(&self) -> usize {
        self.0.shards.iter().map(|shard| lock(&shard.rooms).len()).sum()
    }

    /// Permits that are taken: sockets, and handshakes on their way to be one.
    #[must_use]
    pub fn permits(&self) -> usize {
        self.0.counts.total()
    }

    pub(crate) fn metrics(&self) -> &SocketMetrics {
        &self.0.metrics
    }

    pub(crate) fn node(&self) -> &Node {
        &self.0.node
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    pub(crate) fn sockets(&self) -> &TaskTracker {
        &self.0.sockets
    }

    /// Periods that had passed at the last sweep.
    pub(crate) fn tick(&self) -> u64 {
        self.0.tick.load(Ordering::Relaxed)
    }

    /// A time as a number of periods, rounded up.
    pub(crate) fn ticks(&self, time: Duration) -> u64 {
        let period = self.0.period.load(Ordering::Relaxed).max(1);
        u64::try_from(time.as_millis()).unwrap_or(u64::MAX).div_ceil(period)
    }

    /// Begins the tasks, with the first gateway; further ones may have the sweeps come more
    /// often.
    pub(crate) fn begin(&self, period: Duration) -> Result<(), HookError> {
        let millis = u64::try_from(period.as_millis()).unwrap_or(u64::MAX).max(10);
        self.0.period.fetch_min(millis, Ordering::Relaxed);
        if self.0.has_begun.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        for index in 0..self.0.shards.len() {
            let registry = self.clone();
            let flush = move |stop: Stop| {
                let registry = registry.clone();
                async move {
                    registry.flush(index, stop).await;
                    Ok::<(), HookError>(())
                }
            };
            self.0.tasks.supervise(&format!("flusher-{index}"), Restart::on_failure(), flush)?;
        }
        let registry = self.clone();
        let sweep = move |stop: Stop| {
            let registry = registry.clone();
            async move {
                registry.sweep(stop).await;
                Ok::<(), HookError>(())
            }
        };
        self.0.tasks.supervise("sweeper", Restart::on_failure(), sweep)?;
        if let Some(bus) = self.0.bus.clone() {
            let registry = self.clone();
            let talk = move |stop: Stop| {
                let (registry, bus) = (registry.clone(), Arc::clone(&bus));
                async move { registry.cluster(&*bus, stop).await }
            };
            // A bus that is away comes back, however long that takes.
            let again = Restart::on_failure()
                .backoff(Duration::from_millis(100), Duration::from_secs(5))
                .max(1_000, Duration::from_secs(60));
            self.0.tasks.supervise("bus", again, talk)?;
        }
        Ok(())
    }

    /// A gateway is served.
    pub(crate) fn mount(&self, served: &Arc<Served>) {
        lock(&self.0.gateways).insert(served.runtime.key, Arc::downgrade(served));
    }

    /// A gateway that is served.
    pub(crate) fn gateway(&self, key: &Key) -> Option<Arc<Served>> {
        lock(&self.0.gateways).get(key)?.upgrade()
    }

    /// An id that no other socket of this process has, and the shard it belongs to.
    pub(crate) fn next(&self) -> (u64, usize) {
        let id = self.0.next_id.fetch_add(1, Ordering::Relaxed);
        (id, usize::try_from(id).unwrap_or_default() % self.0.shards.len())
    }

    fn shard(&self, index: usize) -> &Shard {
        &self.0.shards[index % self.0.shards.len()]
    }

    /// A socket is there.
    pub(crate) fn register(&self, client: &Arc<Client>) {
        let place = lock(&self.shard(client.shard).clients).insert(Arc::clone(client));
        client.place.store(place, Ordering::Relaxed);
        self.0.open.fetch_add(1, Ordering::Relaxed);
        self.0.metrics.open(1);
    }

    /// It is gone.
    pub(crate) fn unregister(&self, client: &Client) {
        let shard = self.shard(client.shard);
        for seat in client.take_seats() {
            lock(&shard.rooms).leave(&seat);
        }
        let place = client.place.load(Ordering::Relaxed);
        if lock(&shard.clients).remove(place).is_some() {
            self.0.open.fetch_sub(1, Ordering::Relaxed);
            self.0.metrics.open(-1);
        }
    }

    /// Ends every socket, by the same verdict.
    fn end_all(&self, verdict: &Verdict) {
        for shard in &self.0.shards {
            let clients: Vec<_> = lock(&shard.clients).places.iter().flatten().cloned().collect();
            for client in clients {
                client.line.end(verdict.clone());
            }
        }
    }

    /// Tells every socket that the application goes away, and waits until they are gone,
    /// for 5 seconds at most; those that are left are cut. No socket opens any more.
    pub async fn close_all(&self) -> usize {
        self.0.counts.close();
        let reason = "the server is going away".into();
        let verdict = Verdict { cause: Cause::GoingAway, code: CloseCode::GOING_AWAY, reason };
        self.end_all(&verdict);
        self.0.sockets.close();
        if tokio::time::timeout(GOODBYE_MAX, self.0.sockets.wait()).await.is_ok() {
            return 0;
        }
        let cut = self.len();
        self.end_all(&Verdict { cause: Cause::Cut, ..verdict });
        let _ = tokio::time::timeout(CUT_GRACE, self.0.sockets.wait()).await;
        cut
    }
}

impl Lifecycle for ConnectionRegistry {
    async fn on_drain(&self) -> Result<(), HookError> {
        match self.close_all().await {
            0 => Ok(()),
            cut => Err(format!("{cut} sockets did not close in time and were cut").into()),
        }
    }

    async fn on_shutdown(&self) -> Result<(), HookError> {
        // The drain was cut short.
        if !self.is_empty() {
            let reason = "the server is going away".into();
            let code = CloseCode::GOING_AWAY;
            self.end_all(&Verdict { cause: Cause::Cut, code, reason });
            let _ = tokio::time::timeout(CUT_GRACE, self.0.sockets.wait()).await;
        }
        Ok(())
    }
}

pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
