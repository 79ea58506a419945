use std::io::Read as _;

use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;

use super::*;

fn decode(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    let mut plain = vec![];
    match coding {
        Coding::Zstd => plain = zstd::stream::decode_all(bytes).unwrap(),
        Coding::Brotli => {
            brotli::Decompressor::new(bytes, 4096).read_to_end(&mut plain).unwrap();
        }
        Coding::Gzip => {
            flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
        }
    }
    plain
}

/// Text that compresses, but not to nothing.
fn text(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b"abcdefghijklmnop"[(state >> 28) as usize]
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn what_is_compressed_at_once_comes_back() {
    for coding in Coding::ALL {
        for len in [0, 1, 1000, TURN_MAX] {
            let plain = text(len);
            let compressed = coding.compress(&plain).unwrap();
            assert_eq!(decode(coding, &compressed), plain, "{coding:?} {len}");
            if len >= 1000 {
                assert!(compressed.len() < len * 3 / 4, "{coding:?} {len} {}", compressed.len());
            }
        }
    }
}

#[tokio::test]
async fn large_bodies_are_compressed_in_turns() {
    for coding in Coding::ALL {
        let plain = text(1_000_000);
        let mut body = Compressed::new(Body::from(plain.clone()), coding, None);
        let mut longest = 0;
        let mut turns = 0;
        let mut sent = vec![];
        let waker = futures_util::task::noop_waker();
        let mut cx = Context::from_waker(&waker);
        loop {
            match Pin::new(&mut body).poll_frame(&mut cx) {
                Poll::Ready(Some(frame)) => {
                    let data = frame.unwrap().into_data().unwrap();
                    longest = longest.max(data.len());
                    sent.extend_from_slice(&data);
                }
                Poll::Ready(None) => break,
                Poll::Pending => turns += 1,
            }
        }
        assert!(turns >= 1_000_000 / TURN_MAX, "{coding:?} {turns}");
        assert!(body.is_end_stream());
        assert!(decode(coding, &sent) == plain, "{coding:?}");
    }
}

/// Pieces that become nearly nothing are not sent for long, and each is less than a turn.
#[tokio::test]
async fn a_stream_that_is_always_there_is_compressed_in_turns() {
    for coding in Coding::ALL {
        let given = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = std::sync::Arc::clone(&given);
        let pieces = futures_util::stream::repeat_with(move || {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok::<_, BoxError>(Bytes::from_static(&[b'x'; TURN_MAX / 2]))
        });
        let mut body = Compressed::new(Body::from_stream(pieces.take(400)), coding, None);
        let mut cx = Context::from_waker(futures_util::task::noop_waker_ref());
        for _ in 0..10 {
            let before = given.load(std::sync::atomic::Ordering::Relaxed);
            let _ = Pin::new(&mut body).poll_frame(&mut cx);
            let pieces = given.load(std::sync::atomic::Ordering::Relaxed) - before;
            assert!(pieces <= 3, "{coding:?}: {pieces} at once");
        }
    }
}

#[tokio::test]
async fn what_a_stream_has_sent_can_be_read_while_it_waits() {
    for coding in Coding::ALL {
        let (sender, receiver) = futures_util_channel();
        let mut body = Compressed::new(Body::from_stream(receiver), coding, None);
        let mut sent = vec![];
        for part in ["first ", "second ", "third"] {
            sender.send(Ok::<_, BoxError>(Bytes::from(part))).await.unwrap();
            let data = body.frame().await.unwrap().unwrap().into_data().unwrap();
            sent.extend_from_slice(&data);
            // Whoever reads what is there has all that was written.
            let read = decode_part(coding, &sent);
            assert!(read.ends_with(part.as_bytes()), "{coding:?} {part}");
        }
        drop(sender);
        while let Some(frame) = body.frame().await {
            sent.extend_from_slice(&frame.unwrap().into_data().unwrap());
        }
        assert_eq!(decode(coding, &sent), b"first second third", "{coding:?}");
    }
}

#[tokio::test]
async fn an_error_in_the_stream_stays_one() {
    for coding in Coding::ALL {
        let parts: [Result<Bytes, BoxError>; 2] =
            [Ok(Bytes::from(text(100))), Err("on purpose".into())];
        let body = Body::from_stream(futures_util::stream::iter(parts));
        let error = Compressed::new(body, coding, None).collect().await.unwrap_err();
        assert_eq!(error.to_string(), "on purpose");
    }
}

#[tokio::test]
async fn trailers_come_last() {
    for coding in Coding::ALL {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x-sum", http::HeaderValue::from_static("1"));
        let frames = [Ok(Frame::data(Bytes::from(text(100)))), Ok(Frame::trailers(trailers))];
        let frames = futures_util::stream::iter(frames).map(|frame: Result<_, BoxError>| frame);
        let body = Body::new(http_body_util::StreamBody::new(frames));
        let collected = Compressed::new(body, coding, None).collect().await.unwrap();
        assert_eq!(collected.trailers().unwrap()["x-sum"], "1");
        assert_eq!(decode(coding, &collected.to_bytes()), text(100));
    }
}

fn futures_util_channel() -> (
    tokio::sync::mpsc::Sender<Result<Bytes, BoxError>>,
    impl futures_util::Stream<Item = Result<Bytes, BoxError>> + Send + 'static,
) {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    (sender, futures_util::stream::poll_fn(move |cx| receiver.poll_recv(cx)))
}

/// As much as can be read of what does not end.
fn decode_part(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    let mut plain = vec![];
    let mut buffer = [0; 256];
    let mut reader: Box<dyn io::Read> = match coding {
        Coding::Zstd => Box::new(zstd::stream::read::Decoder::new(bytes).unwrap()),
        Coding::Brotli => Box::new(brotli::Decompressor::new(bytes, 4096)),
        Coding::Gzip => Box::new(flate2::read::GzDecoder::new(bytes)),
    };
    while let Ok(count @ 1..) = reader.read(&mut buffer) {
        plain.extend_from_slice(&buffer[..count]);
    }
    plain
}
