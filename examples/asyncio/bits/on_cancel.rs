//! `except asyncio.CancelledError`.

/// Calls a function when it is dropped, unless it was defused before: so it does in a future that is
/// cancelled, and in one that returns early or panics. The function cannot await: there is no async
/// drop.
pub struct OnCancel<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> OnCancel<F> {
    pub fn new(function: F) -> OnCancel<F> {
        OnCancel(Some(function))
    }

    /// Says that all went well.
    pub fn defuse(mut self) {
        self.0 = None;
    }
}

impl<F: FnOnce()> Drop for OnCancel<F> {
    fn drop(&mut self) {
        if let Some(function) = self.0.take() {
            function();
        }
    }
}
