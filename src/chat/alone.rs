//! A chat that knows of no other server; see `elsewhere.rs` for the one that does.

/// The other servers: none.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {}

impl Elsewhere {
    pub(super) fn said(&self, _name: &str, _text: &str, _here: usize) {}

    pub(super) fn joined(&self, _name: &str, _here: usize) {}

    pub(super) fn left(&self, _name: &str, _words: &str, _here: usize) {}

    pub(super) fn crowd(&self, _joined: u64, _left: u64, _here: usize) {}

    pub(super) fn guests(&self) -> usize {
        0
    }

    pub(super) fn names(&self) -> Vec<String> {
        Vec::new()
    }

    pub(super) fn is_cut_off(&self) -> bool {
        false
    }

    pub(super) fn guest_name(&self, number: u64) -> String {
        format!("guest{number}")
    }

    pub(super) async fn claim(&self, name: String) -> Option<String> {
        Some(name)
    }

    pub(super) fn release(&self, _name: &str) {}
}
