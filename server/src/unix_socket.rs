//! The file of a Unix socket: made with its permissions, in place of one that a dead process left,
//! and removed at the end.

use std::{
    fs::{self, File, Metadata},
    io::{self, ErrorKind},
    os::unix::{
        fs::{FileTypeExt, MetadataExt, PermissionsExt},
        net::UnixListener,
    },
    path::{Path, PathBuf},
};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::listen_address::UnixAddress;

/// The file of a socket that this process listens on. It is removed when this is dropped, unless
/// another file has been put in its place. Drop it before the listener: while that is open no other
/// process replaces the file, and no other file gets its inode.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    id: (u64, u64),
}

/// Binds a socket at this path. A socket file on which nobody listens is replaced; one of a live
/// process and every other kind of file are left alone, which is an error.
pub fn bind(address: &UnixAddress, backlog: i32) -> io::Result<(UnixListener, SocketFile)> {
    let path = &address.path;
    let _lock = lock_folder(path)?;
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile { path: path.clone(), id: id(&fs::symlink_metadata(path)?) };
    // Nobody can connect before it listens.
    fs::set_permissions(path, PermissionsExt::from_mode(address.mode))?;
    socket.listen(backlog)?;
    Ok((socket.into(), file))
}

/// Waits until no other process is about to bind a socket in the same folder.
fn lock_folder(path: &Path) -> io::Result<File> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    if !folder.is_dir() {
        let reason = format!("there is no folder {}", folder.display());
        return Err(io::Error::new(ErrorKind::NotFound, reason));
    }
    let opened = File::open(folder)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.display())))?;
    opened.lock()?;
    Ok(opened)
}

/// Removes the file of a socket on which nobody listens.
fn remove_stale(path: &Path) -> io::Result<()> {
    let file = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    if !file.file_type().is_socket() {
        let reason = "there is another file, which is no socket and stays as it is";
        return Err(io::Error::new(ErrorKind::AlreadyExists, reason));
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?; // a full queue of connections would be waited for
    match socket.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(error),
        _ => Err(io::Error::new(ErrorKind::AddrInUse, "in use: another process listens there")),
    }
}

fn id(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|file| id(&file) == self.id) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        env, fs,
        os::unix::net::{UnixDatagram, UnixListener},
        path::PathBuf,
        process,
    };

    use super::{UnixAddress, bind};

    /// A new folder, and an address in it.
    fn address(name: &str) -> (PathBuf, UnixAddress) {
        let folder = env::temp_dir().join(format!("rl-{name}-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let address = UnixAddress { path: folder.join("rl.sock"), mode: 0o600 };
        (folder, address)
    }

    #[test]
    fn a_file_is_removed_with_its_listener_and_no_other() {
        let (folder, address) = address("other-file");
        let (listener, file) = bind(&address, 1).unwrap();
        drop((file, listener));
        assert!(!address.path.exists());
        let (_listener, file) = bind(&address, 1).unwrap();
        fs::remove_file(&address.path).unwrap();
        let _other = UnixListener::bind(&address.path).unwrap();
        drop(file);
        assert!(address.path.exists());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_socket_of_another_kind_is_in_use_too() {
        let (folder, address) = address("other-kind");
        let _datagrams = UnixDatagram::bind(&address.path).unwrap();
        let error = bind(&address, 1).unwrap_err().to_string();
        assert_eq!(error, "in use: another process listens there");
        assert!(address.path.exists());
        fs::remove_dir_all(&folder).unwrap();
    }
}
