//! WebSockets of axum: `/echo` sends a message back, `/room` sends it to everybody.
//!
//! As most write it, each socket has a task that writes, a queue, and a copy of every
//! message. With `tuned` after the address, sockets share the message, what waits is one
//! write, and read buffers have 4 KiB.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::mpsc;

#[derive(Clone, Default)]
struct Room {
    members: Arc<Mutex<Vec<mpsc::UnboundedSender<Utf8Bytes>>>>,
    is_tuned: bool,
}

impl Room {
    fn upgrade(&self, upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
        if self.is_tuned { upgrade.read_buffer_size(4096) } else { upgrade }
    }
}

async fn echo(State(room): State<Room>, upgrade: WebSocketUpgrade) -> Response {
    room.upgrade(upgrade).on_upgrade(|mut socket: WebSocket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            if matches!(message, Message::Text(_)) && socket.send(message).await.is_err() {
                return;
            }
        }
    })
}

async fn join(State(room): State<Room>, upgrade: WebSocketUpgrade) -> Response {
    room.upgrade(upgrade).on_upgrade(|socket| member(socket, room))
}

async fn member(socket: WebSocket, room: Room) {
    let (mut sink, mut stream) = socket.split();
    let (sender, mut queue) = mpsc::unbounded_channel::<Utf8Bytes>();
    room.members.lock().expect("nobody panics").push(sender);
    let is_tuned = room.is_tuned;
    let writer = tokio::spawn(async move {
        while let Some(text) = queue.recv().await {
            let message = Message::Text(text);
            if !is_tuned {
                if sink.send(message).await.is_err() {
                    return;
                }
                continue;
            }
            let mut next = Some(message);
            while let Some(message) = next {
                if sink.feed(message).await.is_err() {
                    return;
                }
                next = queue.try_recv().ok().map(Message::Text);
            }
            if sink.flush().await.is_err() {
                return;
            }
        }
    });
    while let Some(Ok(message)) = stream.next().await {
        let Message::Text(text) = message else { continue };
        let members = room.members.lock().expect("nobody panics");
        for member in &*members {
            let own = if is_tuned { text.clone() } else { text.as_str().to_owned().into() };
            let _ = member.send(own);
        }
    }
    writer.abort();
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let is_tuned = std::env::args().any(|argument| argument == "tuned");
    let room = Room { is_tuned, ..Room::default() };
    let app = Router::new().route("/echo", get(echo)).route("/room", get(join)).with_state(room);
    let address = peers_common::address();
    let listener = tokio::net::TcpListener::bind(address).await.expect("the address is free");
    axum::serve(listener, app).await.expect("axum serves");
}
