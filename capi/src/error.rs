//! What went wrong, as a code and in words; the last of each thread is kept for `smolchat_error`.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CString, c_char, c_int};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The kinds of errors, with the codes of smolchat.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null = -1,
    Thread = -2,
    Address = -3,
    Listen = -4,
    Socket = -5,
    System = -6,
    Defect = -7,
}

/// Why a call failed.
#[derive(Debug)]
pub(crate) struct Error {
    pub(crate) kind: Kind,
    /// One line, with how to mend it.
    pub(crate) text: String,
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

impl Error {
    pub(crate) fn new(kind: Kind, text: impl Into<String>) -> Error {
        Error { kind, text: text.into() }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::new(Kind::System, error.to_string())
    }
}

/// Makes a call for C: the code of its error, whose text is kept. A panic ends here.
pub(crate) fn guard(call: impl FnOnce() -> Result<c_int, Error>) -> c_int {
    let result = catch_unwind(AssertUnwindSafe(call));
    let Error { kind, text } = match result.unwrap_or_else(|panic| Err(defect(&*panic))) {
        Ok(code) => return code,
        Err(error) => error,
    };
    let text = CString::new(text.replace('\0', "")).unwrap_or_default();
    // Without a place for it while the thread ends, the code has to do.
    let _kept = LAST.try_with(|last| last.replace(text));
    kind as c_int
}

/// The text of the last error of this thread, as it is until the next one.
pub(crate) fn last() -> *const c_char {
    LAST.try_with(|last| last.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

fn defect(panic: &(dyn Any + Send)) -> Error {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or(panic.downcast_ref::<&str>().copied()).unwrap_or("no word of it");
    Error::new(Kind::Defect, format!("a defect of smolchat, free the chat: {said}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_for_c() {
        let code = guard(|| panic!("it broke at {}", 7));
        assert_eq!(code, Kind::Defect as c_int);
        let text = LAST.with(|last| last.borrow().to_str().map(str::to_owned));
        assert_eq!(text.as_deref(), Ok("a defect of smolchat, free the chat: it broke at 7"));
    }
}
