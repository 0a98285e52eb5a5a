//! A directory of files with the failures that a real one has.
//!
//! The journal speaks to the disk only through this port, so that a simulation can tear a write, lose
//! what was not synced, fill up, slow down or flip a bit. Names are flat: one directory, no paths.
use std::io;

/// One directory on a disk. Nothing is durable before the matching `sync`.
pub trait Disk: Send + Sync {
    /// The names of the files in the directory, in no particular order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Opens a file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Creates a file that must not exist yet.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Renames a file, replacing what bore the new name; atomic once the directory is synced.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes creations, renames and removals durable.
    fn sync_directory(&self) -> io::Result<()>;
}

/// An open file. Reads and writes name their place; there is no cursor.
pub trait DiskFile: Send + Sync {
    /// The file's length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }
    /// Fills `buffer` from `offset`; an error if the file ends before it is full.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Cuts or extends the file; what is added reads as zero.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes the file's bytes durable. After an error nothing may be assumed about them: never retry, abort.
    fn sync(&self) -> io::Result<()>;
}
