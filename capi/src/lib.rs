//! The chat for programs in C, in their own event loop: what smolchat.h declares and describes.
//!
//! All of the project's unsafe code is here, and it does one thing: it takes pointers from C. Each
//! is NULL, which is an error, or is what smolchat.h asks for. No panic goes on into C.

#![cfg(target_os = "linux")]

mod error;
mod event;
mod hosted;

use std::ffi::{CStr, c_char, c_int};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use rustix::io::fcntl_getfd;

use error::{Error, Kind, guard};
pub use event::CEvent;
pub use hosted::Hosted;
use hosted::Inner;

const OK: c_int = 0;
const ENDED: c_int = 1;

/// See smolchat.h.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smolchat_new(out: *mut *mut Hosted, addresses: *const c_char) -> c_int {
    guard(|| {
        if out.is_null() {
            return Err(null("chat"));
        }
        // SAFETY: a pointer of the caller's that takes the chat.
        unsafe { out.write(ptr::null_mut()) };
        // SAFETY: a text that the caller keeps as it is during this call.
        let addresses = (!addresses.is_null()).then(|| unsafe { CStr::from_ptr(addresses) });
        let hosted = Hosted::new(addresses.map(CStr::to_bytes))?;
        // SAFETY: as above.
        unsafe { out.write(Box::into_raw(Box::new(hosted))) };
        Ok(OK)
    })
}

/// See smolchat.h.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smolchat_fd(chat: *const Hosted) -> c_int {
    // SAFETY: a chat of smolchat_new.
    unsafe { enter(chat, |inner| Ok(inner.fd())) }
}

/// See smolchat.h.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smolchat_turn(chat: *mut Hosted, wait: *mut c_int) -> c_int {
    let turn = |inner: &mut Inner| {
        if wait.is_null() {
            return Err(null("wait"));
        }
        // SAFETY: an int of the caller's.
        unsafe { wait.write(-1) };
        let Some(milliseconds) = inner.turn()? else { return Ok(ENDED) };
        // SAFETY: as above.
        unsafe { wait.write(milliseconds) };
        Ok(OK)
    };
    // SAFETY: a chat of smolchat_new.
    unsafe { enter(chat, turn) }
}

/// See smolchat.h.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smolchat_next(chat: *mut Hosted, event: *mut CEvent) -> c_int {
    let next = |inner: &mut Inner| {
        if event.is_null() {
            return Err(null("event"));
        }
        let Some(next) = inner.next() else { return Ok(0) };
        // SAFETY: a struct of the caller's.
        unsafe { event.write(next) };
        Ok(1)
    };
    // SAFETY: a chat of smolchat_new.
    unsafe { enter(chat, next) }
}

/// See smolchat.h.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smolchat_say(chat: *mut Hosted, line: *const c_char) -> c_int {
    let say = |inner: &mut Inner| {
        if line.is_null() {
            return Err(null("line"));
        }
        if inner.is_ended() {
            return Ok(ENDED);
        }
        // SAFETY: a text that the caller keeps as it is during this call.
        inner.say(unsafe { CStr::from_ptr(line) }.to_bytes());
        Ok(OK)
    };
    // SAFETY: a chat of smolchat_new.
    unsafe { enter(chat, say) }
}

/// See smolchat.h.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smolchat_admit(chat: *mut Hosted, fd: c_int) -> c_int {
    // SAFETY: it is not -1, and used only to ask whether it is open.
    let is_open = fd >= 0 && unsafe { fcntl_getfd(BorrowedFd::borrow_raw(fd)) }.is_ok();
    // SAFETY: it is open, and the caller gives it away, whatever comes of it.
    let stream = is_open.then(|| unsafe { OwnedFd::from_raw_fd(fd) });
    let admit = |inner: &mut Inner| {
        let closed = || Error::new(Kind::Socket, format!("descriptor {fd} is not open"));
        let stream = stream.ok_or_else(closed)?;
        if inner.is_stopped() {
            return Ok(ENDED);
        }
        inner.admit(stream).map(|()| OK)
    };
    // SAFETY: a chat of smolchat_new.
    unsafe { enter(chat, admit) }
}

/// See smolchat.h.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smolchat_stop(chat: *mut Hosted) -> c_int {
    let stop = |inner: &mut Inner| {
        inner.stop();
        Ok(OK)
    };
    // SAFETY: a chat of smolchat_new.
    unsafe { enter(chat, stop) }
}

/// See smolchat.h.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smolchat_port(chat: *const Hosted) -> c_int {
    // SAFETY: a chat of smolchat_new.
    unsafe { enter(chat, |inner| Ok(inner.port().into())) }
}

/// See smolchat.h.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn smolchat_free(chat: *mut *mut Hosted) -> c_int {
    guard(|| {
        // SAFETY: a pointer of the caller's.
        let place = unsafe { chat.as_mut() }.ok_or_else(|| null("chat"))?;
        // SAFETY: a chat of smolchat_new, that was not freed, or it would be NULL.
        if let Some(hosted) = unsafe { place.as_ref() } {
            hosted.own()?;
            let owned = std::mem::replace(place, ptr::null_mut());
            // SAFETY: smolchat_new made it of a box, and no call for it is under way.
            drop(unsafe { Box::from_raw(owned) });
        }
        Ok(OK)
    })
}

/// See smolchat.h.
#[unsafe(no_mangle)]
pub extern "C" fn smolchat_error() -> *const c_char {
    error::last()
}

/// Makes a call for a chat.
///
/// # Safety
/// It is NULL, or comes from `smolchat_new` and was not freed.
unsafe fn enter(
    chat: *const Hosted,
    call: impl FnOnce(&mut Inner) -> Result<c_int, Error>,
) -> c_int {
    guard(|| {
        // SAFETY: asked for above; other threads read only the part of it that does not change.
        unsafe { chat.as_ref() }.ok_or_else(|| null("chat"))?.enter(call)
    })
}

fn null(what: &str) -> Error {
    Error::new(Kind::Null, format!("the pointer {what} is NULL"))
}
