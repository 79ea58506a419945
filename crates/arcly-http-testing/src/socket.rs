//! Sockets of tests: a real client over memory.

#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_util::task::AbortOnDropHandle;

/// How long a test waits for what a socket should say, in real time.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// A socket that a test has opened: [`crate::TestRequest::open_socket`].
///
/// Every wait fails after 5 seconds. What arrives while something else is waited for is kept.
pub struct TestSocket {
    stream: WebSocketStream<DuplexStream>,
    kept: VecDeque<Value>,
    next_id: u64,
    /// The server's side of the connection up to the upgrade.
    _connection: AbortOnDropHandle<()>,
}

impl fmt::Debug for TestSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TestSocket(..)")
    }
}

impl TestSocket {
    pub(crate) fn new(
        stream: WebSocketStream<DuplexStream>,
        connection: AbortOnDropHandle<()>,
    ) -> Self {
        Self { stream, kept: VecDeque::new(), next_id: 1, _connection: connection }
    }

    /// Sends an event, and waits for no answer.
    ///
    /// # Panics
    /// When the socket is over.
    pub async fn send(&mut self, event: &str, data: impl Serialize) {
        let envelope = json!({ "event": event, "data": data });
        self.send_text(&envelope.to_string()).await;
    }

    /// Sends an event and waits for its answer: what the handler replied, or the problem
    /// document.
    ///
    /// # Errors
    /// The problem document.
    ///
    /// # Panics
    /// When the socket is over, or no answer comes.
    pub async fn ask(&mut self, event: &str, data: impl Serialize) -> Result<Value, Value> {
        let id = self.next_id;
        self.next_id += 1;
        let envelope = json!({ "event": event, "data": data, "id": id });
        self.send_text(&envelope.to_string()).await;
        let mut answer = self.find(|message| message["id"] == id).await;
        match answer.get_mut("error") {
            Some(problem) => Err(problem.take()),
            None => Ok(answer["data"].take()),
        }
    }

    /// Waits for an event, and gives its data.
    ///
    /// # Panics
    /// When the socket is over, or the event does not come.
    pub async fn event(&mut self, event: &str) -> Value {
        self.find(|message| message["event"] == event).await["data"].take()
    }

    async fn find(&mut self, is_it: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.kept.iter().position(&is_it) {
            return self.kept.remove(at).unwrap_or_default();
        }
        loop {
            let text = match self.next().await {
                Message::Text(text) => text,
                other => panic!("the socket said {other:?} instead"),
            };
            let message: Value =
                serde_json::from_str(&text).expect("what a gateway sends is an envelope");
            if is_it(&message) {
                return message;
            }
            self.kept.push_back(message);
        }
    }

    /// Sends text as it is.
    ///
    /// # Panics
    /// When the socket is over.
    pub async fn send_text(&mut self, text: &str) {
        self.stream.send(Message::text(text)).await.expect("the socket is open");
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    /// When the socket is over.
    pub async fn send_binary(&mut self, bytes: &[u8]) {
        self.stream.send(Message::binary(bytes.to_vec())).await.expect("the socket is open");
    }

    /// The next message as it is: text as a string, binary as an array of numbers.
    ///
    /// # Panics
    /// When none comes.
    pub async fn message(&mut self) -> Value {
        match self.next().await {
            Message::Text(text) => json!(text.as_str()),
            Message::Binary(bytes) => json!(bytes.to_vec()),
            other => panic!("the socket said {other:?} instead"),
        }
    }

    /// Waits until the server ends the socket; gives the code and the reason of its close
    /// frame, 1005 for a frame without a code, 1006 for an end without a frame.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn closed(&mut self) -> (u16, String) {
        let waiting = async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Message::Close(Some(CloseFrame { code, reason })))) => {
                        return (code.into(), reason.to_string());
                    }
                    Some(Ok(Message::Close(None))) => return (1005, String::new()),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return (1006, String::new()),
                }
            }
        };
        tokio::time::timeout(WAIT_MAX, waiting).await.expect("the server ends the socket")
    }

    /// Says goodbye, and waits for the server to do so; gives its code and reason as
    /// [`TestSocket::closed`] does. What it says before is left out.
    ///
    /// # Panics
    /// When it does not.
    pub async fn close(mut self) -> (u16, String) {
        let _ = self.stream.close(None).await;
        self.closed().await
    }

    async fn next(&mut self) -> Message {
        let waiting = async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(message)) => return message,
                    Some(Err(error)) => panic!("the socket broke: {error}"),
                    None => panic!("the socket is over"),
                }
            }
        };
        tokio::time::timeout(WAIT_MAX, waiting).await.expect("the socket says something")
    }
}
