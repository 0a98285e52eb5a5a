//! The journal: contract, crashes, damage, full and failing disks, snapshots, retention, readers.
mod contract;
mod crashes;
mod damage;
mod golden;
mod riding;
mod rig;
mod snapshots;
mod tail;
mod trouble;
mod two_workers;
