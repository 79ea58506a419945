//! Instructions and allocations of a request, for every server: what the ledger counts.

use std::fmt::Write as _;
use std::io;

use arcly_benches::measure::{ASKED, Tool, per_request};

use crate::server::{AXUM, PEERS, path};

pub fn measure() -> io::Result<String> {
    let mut text = "## Instructions and allocations of a request\n\nIn user space, by callgrind \
        and dhat: the difference between 2,400 and 400 requests over 8 connections.\n"
        .to_owned();
    let table = |tool| -> io::Result<Vec<Vec<f64>>> {
        let row = |peer: &crate::server::Peer| {
            path(peer.binary)?;
            ASKED
                .iter()
                .map(|asked| per_request(peer.binary, peer.arguments, tool, *asked))
                .collect()
        };
        PEERS.iter().map(row).collect()
    };
    let instructions = table(Tool::Callgrind)?;
    let axum = PEERS.iter().position(|peer| *peer == AXUM).unwrap_or(0);
    text += "\n| server | text | JSON | parameter | validated body | of axum: text | JSON | \
        parameter | validated body |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n";
    for (peer, row) in PEERS.iter().zip(&instructions) {
        let _ = write!(text, "| {} |", peer.name);
        for count in row {
            let _ = write!(text, " {count:.0} |");
        }
        for (count, base) in row.iter().zip(&instructions[axum]) {
            let _ = write!(text, " {:.2} |", count / base);
        }
        text.push('\n');
    }
    text += "\n| server | allocations: text | JSON | parameter | validated body |\n\
        |---|---:|---:|---:|---:|\n";
    for (peer, row) in PEERS.iter().zip(table(Tool::Dhat)?) {
        let _ = write!(text, "| {} |", peer.name);
        for count in row {
            let _ = write!(text, " {count:.1} |");
        }
        text.push('\n');
    }
    Ok(text)
}
