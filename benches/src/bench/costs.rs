//! Instructions and allocations of a request, for every server: what the ledger counts.

use std::fmt::Write as _;
use std::io;

use arcly_benches::measure::{ASKED, Tool, per_request};

use crate::server::{AXUM, LEAN, OURS, PEERS, Peer, path};
use crate::start::verdict;

/// With every default stage, ours may take so much of bare axum's instructions; without
/// the optional ones, so much.
const RATIO_MAX: f64 = 1.00;
const LEAN_RATIO_MAX: f64 = 0.70;
/// Allocations of ours for one JSON answer.
const ALLOCATIONS_MAX: f64 = 8.0;

pub fn measure() -> io::Result<String> {
    let mut text = "## Instructions and allocations of a request\n\nIn user space, by callgrind \
        and dhat: the difference between 2,400 and 400 requests over 8 connections.\n"
        .to_owned();
    let table = |tool| -> io::Result<Vec<Vec<f64>>> {
        let row = |peer: &Peer| {
            path(peer.binary)?;
            ASKED
                .iter()
                .map(|asked| per_request(peer.binary, peer.arguments, tool, *asked))
                .collect()
        };
        PEERS.iter().map(row).collect()
    };
    let instructions = table(Tool::Callgrind)?;
    let place = |wanted: Peer| PEERS.iter().position(|peer| *peer == wanted).unwrap_or(0);
    let axum = place(AXUM);
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
    let allocations = table(Tool::Dhat)?;
    for (peer, row) in PEERS.iter().zip(&allocations) {
        let _ = write!(text, "| {} |", peer.name);
        for count in row {
            let _ = write!(text, " {count:.1} |");
        }
        text.push('\n');
    }
    let worst = |peer| {
        let ratios = instructions[place(peer)].iter().zip(&instructions[axum]);
        ratios.map(|(own, base)| own / base).fold(0.0, f64::max)
    };
    let (ours, lean) = (worst(OURS), worst(LEAN));
    let json = allocations[place(OURS)][1];
    let _ = writeln!(
        text,
        "\nGoals, by the worst of the four: every default stage {RATIO_MAX:.2} of axum's \
         instructions ({ours:.2}; {}), optional stages off {LEAN_RATIO_MAX:.2} ({lean:.2}; {}); \
         {ALLOCATIONS_MAX:.0} allocations for JSON ({json:.1}; {}).",
        verdict(ours <= RATIO_MAX),
        verdict(lean <= LEAN_RATIO_MAX),
        verdict(json <= ALLOCATIONS_MAX)
    );
    Ok(text)
}
