//! The file of a unix socket: made when a program begins to listen on it, removed when it ends.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, RawMode};
use rustix::io::Errno;
use rustix::process::umask;

use crate::server::listener::Listener;

/// Its user and group may connect, and nobody else: a client can pass a descriptor along with what
/// it writes (SCM_RIGHTS of unix(7)), the kernel closes it in the one thread of the server, and the
/// close of some descriptors takes as long as who made them likes.
const MODE: RawMode = 0o660;

/// A file that this process made; removed when dropped, unless it is another one by then.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    id: Option<Id>,
}

/// What tells a file from another one of its name, while the socket that made it is open.
type Id = (u64, u64);

/// Has `listener` listen on `path` too, and makes its file, of mode 0660. One that is left from
/// a process that has ended is replaced.
///
/// # Errors
/// What is in the way and how to mend it.
pub fn listen(path: &Path, listener: &mut Listener) -> Result<SocketFile, String> {
    if let Ok(found) = path.symlink_metadata() {
        remove_stale(path, &found)?;
    }
    // Not a chmod(2) afterwards, which could meet another file of that name.
    let usual = umask(Mode::from_raw_mode(0o777 & !MODE));
    let bound = UnixListener::bind(path);
    umask(usual);
    let socket = bound.map_err(|error| in_words(path, &error))?;
    let file = SocketFile { path: path.to_owned(), id: id(path).ok() };
    listener.add(socket).map_err(|error| error.to_string())?;
    Ok(file)
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.id.is_some() && id(&self.path).ok() == self.id {
            let _gone_already = fs::remove_file(&self.path);
        }
    }
}

fn id(path: &Path) -> io::Result<Id> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Removes the file of a socket that no process has any more.
fn remove_stale(path: &Path, found: &Metadata) -> Result<(), String> {
    if !found.file_type().is_socket() {
        return Err("this file is no socket; move it away, or choose another path".into());
    }
    // A datagram probe never becomes a connection, so no client sees it come and go.
    match UnixDatagram::unbound().and_then(|probe| probe.connect(path)) {
        Err(error)
            if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) => {}
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Err("no right to see whether somebody listens there; remove the file".into());
        }
        Err(error) if Errno::from_io_error(&error) != Some(Errno::PROTOTYPE) => {
            return Err(format!("{error}; remove the file, or choose another path"));
        }
        _ => return Err("another program listens there; end it, or choose another path".into()),
    }
    let unchanged = id(path).ok() == Some((found.dev(), found.ino()));
    let removed = if unchanged { fs::remove_file(path) } else { Ok(()) };
    removed.map_err(|error| format!("nobody listens there, but the file stays: {error}"))
}

fn in_words(path: &Path, error: &io::Error) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    match error.kind() {
        ErrorKind::NotFound if !folder.is_dir() => {
            format!("there is no directory {}; make it first", folder.display())
        }
        ErrorKind::PermissionDenied => {
            format!("no right to make a file in {}; choose another directory", folder.display())
        }
        _ => format!("{error}; choose another path"),
    }
}
