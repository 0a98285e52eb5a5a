//! A real directory behind the disk port, and beside it the simulated one that fails on demand.
//!
//! A [`Directory`] that writes holds an exclusive lock on the file `lock` for as long as it lives, so that two
//! processes can never write one journal. It knows nothing of what the files mean: see `journal`.
pub mod simulated;

use actors::ports::disk::{Disk, DiskFile};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

const LOCK: &str = "lock";

/// A directory on a real disk.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Held, never read: the lock goes with the file handle, and with the process.
    lock: Option<File>,
}

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryFault {
    /// Another process writes there.
    #[error("{0} is in use by another process: stop that one first, or configure another directory")]
    InUse(PathBuf),
    /// It cannot be reached.
    #[error("{path} cannot be used: {source}; check that it exists and that this user may write there")]
    Unusable {
        /// The directory.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

impl Directory {
    /// Takes the directory for writing, alone; makes it if it is not there.
    pub fn exclusive(path: &Path) -> Result<Self, DirectoryFault> {
        let unusable = |source| DirectoryFault::Unusable { path: path.to_owned(), source };
        std::fs::create_dir_all(path).map_err(unusable)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK))
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(DirectoryFault::InUse(path.to_owned())),
            Err(TryLockError::Error(source)) => Err(unusable(source)),
        }
    }

    /// Looks into the directory without taking it; nothing can be written through this.
    pub fn reading(path: &Path) -> Result<Self, DirectoryFault> {
        match std::fs::read_dir(path) {
            Ok(_) => Ok(Self { path: path.to_owned(), lock: None }),
            Err(source) => Err(DirectoryFault::Unusable { path: path.to_owned(), source }),
        }
    }

    fn writes(&self) -> bool {
        self.lock.is_some()
    }

    fn may_write(&self) -> io::Result<()> {
        if self.writes() { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }
}

impl Disk for Directory {
    fn list(&self) -> io::Result<Vec<String>> {
        let names = std::fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name().into_string().ok()));
        let names: io::Result<Vec<Option<String>>> = names.collect();
        Ok(names?.into_iter().flatten().filter(|name| name != LOCK).collect())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(self.writes()).open(self.path.join(name))?;
        Ok(Box::new(OpenFile(file)))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.may_write()?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(self.path.join(name))?;
        Ok(Box::new(OpenFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.may_write()?;
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.may_write()?;
        std::fs::remove_file(self.path.join(name))
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

struct OpenFile(File);

impl DiskFile for OpenFile {
    fn len(&self) -> io::Result<u64> {
        self.0.metadata().map(|metadata| metadata.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        // fdatasync: length and extents are included, times are not.
        self.0.sync_data()
    }
}
