//! A journal's disk that fills up under a real switch: nothing new is begun, what was begun is finished, and when there is
//! room again it goes on by itself.
use crate::brim;
use crate::house::{Site, heard};
use crate::stage::Stage;
use crate::story::{PATIENCE, Story, Telling};
use actors::domain::money::Money;
use adapters::players::PlayFault;
use adapters::players::till::Order;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;

/// Room for two segments of a megabyte, and something over.
const DISK: &str = "size=4m";
const NEARLY_A_SEGMENT: usize = 10_000;
/// Till it looks again whether the journal is full.
const RECORDS: usize = 8;
const FULL_WITHIN: Duration = Duration::from_secs(30);
const ROOM_WITHIN: Duration = Duration::from_secs(10);

/// A small disk under a switch's journal, for as long as this lives.
struct SmallDisk(PathBuf);

impl SmallDisk {
    async fn mounted(at: PathBuf) -> Result<Self, String> {
        std::fs::create_dir_all(&at).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", DISK, "ordeal"]).arg(&at).output().await;
        match mounted {
            Ok(output) if output.status.success() => Ok(Self(at)),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(fault) => Err(fault.to_string()),
        }
    }

    /// Fills it to the last byte; the ballast.
    fn fill(&self) -> PathBuf {
        let ballast = self.0.join("ballast");
        let filled = std::fs::write(&ballast, vec![7; 16 * 1024 * 1024]);
        assert_eq!(filled.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
        assert!(std::fs::metadata(&ballast).unwrap().len() > 0, "the disk was full before");
        ballast
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The switch in it may be a moment from its end.
        drop(std::process::Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[test]
fn on_a_full_disk_nothing_is_begun_what_was_begun_ends_and_with_room_it_goes_on() {
    actix_rt::System::new().block_on(async {
        let site = Site::small();
        let disk = match SmallDisk::mounted(site.journal()).await {
            Ok(disk) => disk,
            Err(reason) => {
                println!("SKIPPED: a full disk: no small disk can be mounted: {reason}");
                return;
            }
        };
        brim::fill(&site.journal(), NEARLY_A_SEGMENT);
        let mut stage = Stage::at(site, 50_000_000).await;
        assert_eq!(stage.tells(Story::Sale).await, Vec::<String>::new());
        // The last is begun while there is room, and paid when there is none: its payer thinks for so long.
        let begun = Telling::new(&stage.site, Story::Sale, 50_900_000).hesitating();
        let filling = async {
            begun.asked().await;
            let ballast = disk.fill();
            tokio::time::timeout(FULL_WITHIN, filled(&stage.site)).await.expect("never full");
            refused(&stage.site).await;
            begun.goes_on();
            ballast
        };
        let (ballast, told) = futures_util::future::join(filling, begun.told()).await;
        let (sold, shown) = told.expect("what was begun is finished");
        assert!(matches!(sold.held, crate::auditor::Held::Approved(_)), "{sold:?}");
        refused(&stage.site).await;
        std::fs::remove_file(ballast).unwrap();
        let has_room = async {
            while is_on_reserve(&stage.site).await {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(ROOM_WITHIN, has_room).await.expect("it does not find the room again");
        stage.witnessed(sold, shown);
        for story in [Story::Sale, Story::Reversal, Story::Refund] {
            stage.refreshed(story).await;
            assert_eq!(stage.tells(story).await, Vec::<String>::new());
        }
        assert!(stage.deaths.is_empty(), "a full disk is no reason to die");
        let audit = stage.closed().await;
        assert_eq!(audit.violations, Vec::<String>::new());
        println!("a full disk: {} sales, {} approved, 0 violations", audit.sales, audit.approved);
        remains_mounted(&disk.0);
        // Before the folder that it lies in goes.
        drop(disk);
    });
}

/// A new sale is turned away with "come again", and the platform never hears of it.
async fn refused(site: &Site) {
    let before = site.books().await.payments.len();
    let order = Order::new(&site.surroundings, Money::parse("5.00", "EUR").unwrap(), PATIENCE).unwrap();
    match site.till(0).place(&order, Duration::ZERO).await {
        Err(PlayFault::Refused(problem)) => {
            assert_eq!((problem.status, problem.retry_after.is_some()), (503, true), "{problem}");
        }
        other => panic!("a sale was taken in without room for it: {other:?}"),
    }
    assert_eq!(site.books().await.payments.len(), before, "the platform heard of a refused sale");
}

/// Takes back what was never asked for, which is a record each time, until only the reserve is left.
async fn filled(site: &Site) {
    let mut till = site.till(0);
    while !is_on_reserve(site).await {
        for _ in 0..RECORDS {
            let order =
                Order::new(&site.surroundings, Money::parse("5.00", "EUR").unwrap(), PATIENCE).unwrap();
            till.take_back(&order.key).await.expect("a reversal is never refused");
        }
    }
}

async fn is_on_reserve(site: &Site) -> bool {
    let question = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let metrics = heard(site.ports.admin, question, ROOM_WITHIN).await.text;
    let reserve = metrics.lines().find_map(|line| line.strip_prefix("turnout_journal_room_reserve "));
    reserve.expect("the metric that tells it").trim() == "1"
}

/// Or the disk was not the one that was filled.
fn remains_mounted(at: &Path) {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
    assert!(mounts.contains(at.to_str().unwrap()), "the small disk was not under the journal");
}
