#!/usr/bin/env python3
"""The hand on the switch: cuts the power of a real file system under the real journal, again and again.

A file system on a loop-mounted image is shut down with FS_IOC_SHUTDOWN while `cut_journal` (adapters/examples) appends:
what it had not handed to the disk is gone. It is mounted again, which recovers it, and the next life of `cut_journal`
must find every record of which an acknowledgement was read before the cut. Root only. See docs/proof.md, "Power cuts".

    power_cut.py BINARY ext4|xfs CUTS [--seed N] [--expect-loss] [--image-folder FOLDER]
"""
import argparse, collections, ctypes, fcntl, os, random, select, shutil, signal, struct, subprocess, sys, tempfile, time

FS_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32), the same for ext4 and XFS
# What of the file system's own log still reaches the disk: nothing (a power cut), the log, everything.
NOTHING, LOG, EVERYTHING = 2, 1, 0
SIZES = {"ext4": 64 << 20, "xfs": 320 << 20}
MAKE = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"]}
LIVES_PER_FILE_SYSTEM = 50
LIFE_MAX_S, START_MAX_S = 2.0, 60.0
# A writer that waits for a segment has nothing to write on the dead disk, so nothing tells it; it is ended then.
NOTICES_WITHIN_S, DIES_WITHIN_S = 1.5, 60.0
REAL_AT_LEAST = 0.8  # the share of cuts that must have hit something

libc = ctypes.CDLL(None, use_errno=True)


class Lost(Exception):
    """An acknowledged record is not there, or the journal is not what it was."""


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stdout.strip()}")
    return done.stdout.strip()


class Disk:
    """An image, its loop device and its mount point."""

    def __init__(self, kind, folder):
        self.kind, self.image, self.point = kind, f"{folder}/image", f"{folder}/mount"
        os.mkdir(self.point)
        with open(self.image, "wb") as image:
            image.truncate(SIZES[kind])
        self.device = run("losetup", "--find", "--show", self.image)
        self.mounted = False

    def make(self):
        self.unmount()
        run(*MAKE[self.kind], self.device)
        self.mount()

    def mount(self):
        if libc.mount(self.device.encode(), self.point.encode(), self.kind.encode(), 0, None):
            error = os.strerror(ctypes.get_errno())
            raise Lost(f"the {self.kind} cannot be mounted after the cut: {error}")
        self.mounted = True

    def cut(self, flag):
        point = os.open(self.point, os.O_RDONLY)
        try:
            fcntl.ioctl(point, FS_IOC_SHUTDOWN, struct.pack("I", flag))
        finally:
            os.close(point)

    def unmount(self):
        for _ in range(200 if self.mounted else 0):
            if libc.umount2(self.point.encode(), 0) == 0:
                self.mounted = False
                return
            time.sleep(0.01)
        if self.mounted:
            sys.exit(f"{self.point} cannot be unmounted: {os.strerror(ctypes.get_errno())}")

    def close(self):
        self.unmount()
        run("losetup", "--detach", self.device)


class Life:
    """One process of `cut_journal`, as far as its words were read."""

    def __init__(self, binary, disk, number, acknowledged):
        command = [binary, f"{disk.point}/journal", str(number), acknowledged]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.out, self.unread, self.acks, self.words = self.process.stdout.fileno(), b"", [], collections.Counter()
        self.ready, self.was_waiting = None, False

    def lines(self):
        """The lines as they come, until the process ends or it has lived long enough."""
        until = time.monotonic() + START_MAX_S
        while True:
            line, newline, rest = self.unread.partition(b"\n")
            if newline:
                # One at a time: a cut after this line must not count what follows.
                self.unread = rest
                word, rest_of_line = self.heard(line.decode())
                if word == "READY":
                    until = time.monotonic() + LIFE_MAX_S
                yield word, rest_of_line
                continue
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.out], [], [], left)[0]:
                return
            more = os.read(self.out, 65536)
            if not more:
                return
            self.unread += more

    def heard(self, line):
        word, _, rest = line.partition(" ")
        self.words[word] += 1
        if word == "ACK":
            self.acks.append(line)
        elif word == "READY":
            self.ready = dict(pair.split("=") for pair in rest.split())
        elif word == "LOST":
            raise Lost(rest)
        return word, rest

    def end(self):
        """Waits until the process has met its dead disk, and reads what it said after the cut."""
        kept = len(self.acks)
        try:
            rest, error = self.process.communicate(timeout=NOTICES_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.was_waiting = True
            rest, error = self.process.communicate(timeout=DIES_WITHIN_S)
        for line in (self.unread + rest).decode().splitlines():
            self.heard(line)
        del self.acks[kept:]
        if self.process.returncode != 0 and not self.was_waiting:
            raise Lost(f"the process died of {self.process.returncode}: {error.decode()[-2000:]}")


class Moment:
    """When to cut: after so many acknowledgements, or so many after a file got its name."""

    def __init__(self, dice):
        kind = dice.random()
        self.names = 0 if kind < 0.4 else dice.randint(1, 4)
        self.suffix = ".segment" if kind < 0.8 else ""
        self.acks = dice.randint(1, 150) if self.names == 0 else dice.choice((0, 1, 1, 2, 4, 9))

    def has_come(self, life, word, rest):
        if word == "NAME" and life.ready and rest.endswith(self.suffix) and rest != "prepared.segment":
            self.names -= 1
        elif word == "ACK" and self.names <= 0:
            self.acks -= 1
        return bool(life.acks) and self.names <= 0 and self.acks <= 0


class Cuts:
    """A series of cuts and what came of them."""

    def __init__(self, binary, disk, seed, folder):
        self.binary, self.disk, self.dice = binary, disk, random.Random(seed)
        self.record = f"{folder}/acknowledged"
        self.count = collections.Counter()
        self.life = None

    def fresh(self):
        self.disk.make()
        open(self.record, "w").close()

    def one(self, number):
        """One life and its cut; True if it hit something."""
        flag = self.dice.choices((NOTHING, LOG, EVERYTHING), (8, 1, 1))[0]
        moment, life = Moment(self.dice), self.born(number)
        for word, rest in life.lines():
            if moment.has_come(life, word, rest):
                break
        if life.ready is None:
            raise Lost("the journal was not ready in time")
        self.disk.cut(flag)
        life.end()
        return self.judged(life, flag)

    def judged(self, life, flag):
        with open(self.record, "a") as record:
            record.writelines(f"{ack}\n" for ack in life.acks)
        self.count["waiting for a segment"] += life.was_waiting
        is_real = bool(life.acks) and life.words["FATAL"] > 0 and flag == NOTHING
        self.count["acknowledged"] += len(life.acks)
        self.count["gentle"] += flag != NOTHING
        self.count["hit nothing"] += not is_real and flag == NOTHING
        self.count["torn tails"] += int(life.ready["torn"]) > 0
        self.count["logs with a beginning that was dropped"] += int(life.ready["oldest"]) > 1
        self.count["starts from a snapshot"] += int(life.ready["snapshot"])
        self.count["snapshots ignored"] += int(life.ready["ignored"])
        self.count["files named"] += life.words["NAME"]
        return is_real

    def last_look(self, number):
        """The next life must find all and go on appending."""
        for word, _ in self.born(number).lines():
            if word == "ACK":
                return self.kill()
        raise Lost("after the last cut nothing was appended any more")

    def born(self, number):
        self.life = Life(self.binary, self.disk, number, self.record)
        return self.life

    def kill(self):
        if self.life and self.life.process.poll() is None:
            self.life.process.kill()
            self.life.process.communicate()

    def remount(self):
        self.disk.unmount()
        self.disk.mount()

    def series(self, cuts):
        self.fresh()
        for number in range(1, cuts + 1):
            self.count["cuts"] += 1
            self.one(number)
            self.remount()
            if number % LIVES_PER_FILE_SYSTEM == 0 or number == cuts:
                self.last_look(number + 1)
                self.fresh()


def why_not():
    """Why no power can be cut here, if so."""
    if os.geteuid() != 0:
        return "not root: mounting and FS_IOC_SHUTDOWN need it"
    if not os.path.exists("/dev/loop-control"):
        return "this kernel has no loop devices"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("kind", choices=SIZES)
    parser.add_argument("cuts", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--expect-loss", action="store_true", help="a control: fail unless something is lost")
    parser.add_argument("--image-folder", default="/dev/shm" if os.path.isdir("/dev/shm") else None)
    asked = parser.parse_args()
    reason = why_not()
    if reason:
        print(f"SKIPPED: no power was cut on {asked.kind}: {reason}")
        return 0
    if not shutil.which(MAKE[asked.kind][0]):
        print(f"{MAKE[asked.kind][0]} is not installed")
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    folder, began = tempfile.mkdtemp(prefix="power-cut-", dir=asked.image_folder), time.monotonic()
    disk = Disk(asked.kind, folder)
    cuts = Cuts(os.path.abspath(asked.binary), disk, asked.seed, folder)
    loss = None
    try:
        cuts.series(asked.cuts)
    except Lost as what:
        loss = f"cut {cuts.count['cuts']} of seed {asked.seed}: {what}"
    finally:
        cuts.kill()
        disk.close()
        shutil.rmtree(folder)
    return verdict(asked, cuts.count, loss, time.monotonic() - began)


def verdict(asked, count, loss, took):
    real = count["cuts"] - count["gentle"] - count["hit nothing"]
    told = ", ".join(f"{value} {name}" for name, value in count.items() if name != "cuts")
    print(f"{asked.kind}: {count['cuts']} cuts in {took:.0f} s ({real} that hit work under way), {told}")
    if asked.expect_loss:
        print(f"control: {loss or 'NOTHING WAS LOST'}")
        return 0 if loss else 1
    if loss:
        print(f"LOST: {loss}")
        return 1
    if count["cuts"] == 0 or real < REAL_AT_LEAST * (count["cuts"] - count["gentle"]):
        print(f"only {real} of {count['cuts']} cuts hit anything: this proves nothing")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
