"""A terminal that nobody here wrote: pyiso8583 pays, declines, repeats, reverses, refunds and settles over TCP.

`pos.py --turnout BINARY --phones URL --line NAME=PROFILE,FRAMING,PORT ...` plays every story on every line, with phones that the product's own
command line plays. It ends with 1 and a sentence when an answer is not what a terminal may rely on. `--control` shows that it can fail: it
expects what is not true, and has to say so.
"""
import argparse
import copy
import os
import socket
import struct
import subprocess
import sys
import time

import iso8583
from iso8583.specs import default, default_ascii

MERCHANT = "M1"


def bcd_spec():
    """ISO 8583:1987 in BCD (profile C), from the field table: digits two a byte, lengths in BCD that count digits."""
    spec = copy.deepcopy(default)
    numeric_fixed = "3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 53 66 67 68 69 70 71 72 73 74 75 76 77 78 79 80 81 82 83 84 85 86 87 88 89 90".split()
    for n, definition in spec.items():
        if n in ("h", "p", "1"):
            continue
        if definition["len_type"]:
            definition["len_enc"] = "b"
            definition["len_type"] = 1 if definition["len_type"] == 2 else 2
            definition["len_count"] = "bytes"
    spec["t"].update(data_enc="b", max_len=4, len_type=0)
    spec["t"].update(len_count="nibbles")
    for n in numeric_fixed:
        spec[n].update(data_enc="b", len_count="nibbles", left_pad="0")
    # A sign in ASCII and digits two a byte: pyiso8583 has no name for it, and takes the bytes.
    for n in ("28", "29", "30", "31"):
        spec[n].update(data_enc="b", len_count="bytes", max_len=5)
    spec["97"].update(data_enc="b", len_count="bytes", max_len=9)
    for n in ("2", "32", "33", "35", "99", "100"):
        spec[n].update(data_enc="b", len_count="nibbles", right_pad="0")
    return spec


PROFILES = {"A": default_ascii, "B": default, "C": None, "D": None}


class Wrong(Exception):
    """An answer that a terminal may not be given."""


class Terminal:
    """One connection that speaks one profile."""

    def __init__(self, line, name):
        self.line, self.name, self.stan = line, name, 0
        self.spec = PROFILES[line.profile] or bcd_spec()
        self.stream = None
        self.connect()

    def connect(self):
        if self.stream:
            self.stream.close()
        self.stream = socket.create_connection(("127.0.0.1", self.line.port), timeout=40)

    def send(self, fields):
        body, _ = iso8583.encode({k: v for k, v in fields.items()}, self.spec)
        self.raw(bytes(body))

    def raw(self, body):
        header = bytes.fromhex("6000030000") if "tpdu" in self.line.framing else b""
        self.stream.sendall(struct.pack(">H", len(header) + len(body)) + header + body)

    def hear(self):
        length = struct.unpack(">H", self.exactly(2))[0]
        frame = self.exactly(length)
        if "tpdu" in self.line.framing:
            if frame[:5] != bytes.fromhex("6000000003"):
                raise Wrong(f"the answer's TPDU is {frame[:5].hex()}: destination and source are to change places")
            frame = frame[5:]
        decoded, _ = iso8583.decode(frame, self.spec)
        return decoded, frame

    def exactly(self, count):
        got = b""
        while len(got) < count:
            more = self.stream.recv(count - len(got))
            if not more:
                raise Wrong("the line was hung up on us")
            got += more
        return got

    def ask(self, fields):
        self.send(fields)
        return self.hear()

    def next(self, mti, **fields):
        self.stan += 1
        now = time.gmtime()
        message = {
            "t": mti,
            "7": time.strftime("%m%d%H%M%S", now),
            "11": f"{self.stan:06}",
            "41": f"{self.name:<8}",
        }
        message.update({n.lstrip("f"): value for n, value in fields.items()})
        return message

    def sale(self, mti="0200", cents=1250, **fields):
        now = time.gmtime()
        return self.next(
            mti,
            f3="000000",
            f4=f"{cents:012}",
            f12=time.strftime("%H%M%S", now),
            f13=time.strftime("%m%d", now),
            f22="071",
            f25="00",
            f42=f"{MERCHANT:<15}",
            f49="978",
            **fields,
        )

    def undo(self, mti, sale, **fields):
        """A reversal under a trace number of its own; the original's goes into field 90."""
        message = self.sale(mti, int(sale["4"]))
        message["90"] = f"{sale['t']}{sale['11']}{sale['7']}".ljust(42, "0")
        message["39"] = "68"
        message.update({n.lstrip("f"): value for n, value in fields.items()})
        return message


class Stories:
    def __init__(self, options, line):
        self.options, self.line, self.told = options, line, 0

    def phone(self, does, terminal):
        account = ["--account", "ada", "--password", "analytical-engine"] if does == "pay" else []
        command = [self.options.turnout, "phone", "--switch", self.options.phones, "--subscriber", self.options.subscriber, does, "--terminal", terminal]
        return subprocess.Popen(command + account, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def with_phone(self, does, terminal, message):
        phone = self.phone(does, terminal.name)
        answer = terminal.ask(message)
        try:
            _, said = phone.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            phone.kill()
            raise Wrong(f"the terminal was told {answer[0].get('39')}, and the phone that was to {does} still stands there")
        if phone.returncode != 0 and does == "pay":
            raise Wrong(f"the phone could not {does}: {said.decode()[-300:]}")
        return answer

    def expect(self, what, answer, mti, code, echoing=None, **present):
        decoded, _ = answer
        if (decoded["t"], decoded.get("39")) != (mti, code):
            raise Wrong(f"{what}: {decoded['t']} with {decoded.get('39')} where {mti} with {code} was due")
        for n in ("7", "11", "12", "13", "37", "41", "42"):
            if echoing and n in echoing and decoded.get(n) != echoing[n]:
                raise Wrong(f"{what}: field {n} came back as {decoded.get(n)!r}, not as {echoing[n]!r}")
        for n, value in present.items():
            if decoded.get(n.lstrip("f")) != value:
                raise Wrong(f"{what}: field {n.lstrip('f')} is {decoded.get(n.lstrip('f'))!r}, not {value!r}")
        self.told += 1
        return decoded

    def play(self):
        terminal = Terminal(self.line, self.options.terminal)
        terminal.stan = self.line.first_stan
        on = terminal.next("0800", f70="001")
        self.expect("sign-on", terminal.ask(on), "0810", "00", on)
        echo = terminal.next("0800", f70="301")
        self.expect("echo", terminal.ask(echo), "0810", "00", echo)

        authorization = terminal.sale("0100")
        self.expect("0100", self.with_phone("pay", terminal, authorization), "0110", "00", authorization)

        sale = terminal.sale()
        first = self.with_phone("pay", terminal, sale)
        paid = self.expect("0200", first, "0210", "00", sale)
        if len(paid.get("38", "")) != 6 or len(paid.get("37", "")) != 12:
            raise Wrong("an approval has fields 37 and 38")
        again = terminal.ask({**sale, "t": "0201"})
        self.expect("0201", again, "0210", "00", sale)
        if first[1] != again[1]:
            raise Wrong("a repeat is answered in other words")
        terminal.connect()
        if terminal.ask({**sale, "t": "0201"})[1] != first[1]:
            raise Wrong("on a new connection a repeat is answered in other words")
        self.expect("the same trace number for more", terminal.ask({**sale, "4": "000000001251"}), "0210", "94")

        declined = terminal.sale()
        self.expect("declined", self.with_phone("decline", terminal, declined), "0210", "05", declined)

        undone = terminal.undo("0420", sale)
        answer = terminal.ask(undone)
        self.expect("0420", answer, "0430", "00", undone)
        if terminal.ask({**undone, "t": "0421"})[1] != answer[1]:
            raise Wrong("a repeated reversal is answered in other words")
        self.expect("the sale that was taken back", terminal.ask({**sale, "t": "0201"}), "0210", "68", sale)

        unseen = terminal.sale()
        self.expect("a reversal that came first", terminal.ask(terminal.undo("0400", unseen)), "0410", "00")
        self.expect("its original", terminal.ask(unseen), "0210", "68", unseen)

        kept = terminal.sale(cents=2000)
        self.expect("a sale to keep a part of", self.with_phone("pay", terminal, kept), "0210", "00", kept)
        part = terminal.undo("0400", kept, f95="000000001500" + "0" * 30)
        self.expect("a partial reversal", terminal.ask(part), "0410", "00")
        back = terminal.sale(cents=500)
        back.update({"3": "200000", "90": f"0200{kept['11']}{kept['7']}".ljust(42, "0")})
        self.expect("a refund", terminal.ask(back), "0210", "00", back)
        more = terminal.sale(cents=1001)
        more.update({"3": "200000", "90": f"0200{kept['11']}{kept['7']}".ljust(42, "0")})
        self.expect("a refund of more than is left", terminal.ask(more), "0210", "13", more)

        self.expect("a balance", terminal.ask({**terminal.sale(), "3": "310000"}), "0210", "40")
        stranger = Terminal(self.line, "NOBODY")
        self.expect("an unknown terminal", stranger.ask(stranger.sale()), "0210", "58")
        other = {**terminal.sale(), "42": f"{'M9':<15}"}
        self.expect("another merchant", terminal.ask(other), "0210", "03")
        self.hostile(terminal)
        self.settle(terminal)
        off = terminal.next("0800", f70="002")
        self.expect("sign-off", terminal.ask(off), "0810", "00", off)
        if self.options.control:
            self.expect("the control", terminal.ask(terminal.next("0800", f70="301")), "0810", "05")

    def hostile(self, terminal):
        body, _ = iso8583.encode(terminal.sale(), terminal.spec)
        terminal.raw(bytes(body) + b"0")
        self.expect("a byte too many", terminal.hear(), "0210", "30")
        terminal.raw(b"\xff" * 40)
        still = terminal.next("0800", f70="301")
        self.expect("echo after nonsense", terminal.ask(still), "0810", "00", still)

    def settle(self, terminal):
        """Whatever was sold before on this line is settled, then one sale more, which has to be all that is counted."""
        self.settled(terminal, {}, any_code=True)
        sale = terminal.sale(cents=700)
        self.expect("a sale to settle", self.with_phone("pay", terminal, sale), "0210", "00", sale)
        self.settled(terminal, {"76": "0000000001", "88": f"{700:016}"}, code="95", claimed={"76": "0000000002", "88": f"{700:016}"})
        sale = terminal.sale(cents=800)
        self.expect("a sale to settle", self.with_phone("pay", terminal, sale), "0210", "00", sale)
        claimed = {"76": "0000000001", "88": f"{800:016}"}
        self.settled(terminal, claimed, code="00", claimed=claimed)

    def settled(self, terminal, counted, code="00", claimed=None, any_code=False):
        totals = {n: "0" * 10 for n in ("74", "75", "76", "77")} | {n: "0" * 16 for n in ("86", "87", "88", "89")}
        message = terminal.next("0500", f42=f"{MERCHANT:<15}", f50="978")
        message.update(totals | (claimed or {}))
        answer = terminal.ask(message)
        if any_code:
            code = answer[0].get("39")
        decoded = self.expect("settlement", answer, "0510", code)
        if decoded.get("66") != ("1" if code == "00" else "2"):
            raise Wrong(f"settlement: field 66 is {decoded.get('66')} with {code}")
        for n, value in counted.items():
            if decoded.get(n) != value:
                raise Wrong(f"settlement: we sold {value} in field {n}, the switch counted {decoded.get(n)}")
        if terminal.ask({**message, "t": "0501"})[1] != answer[1]:
            raise Wrong("a repeated settlement is answered in other words")


class Line:
    def __init__(self, text, first_stan):
        self.name, rest = text.split("=")
        self.profile, self.framing, port = rest.split(",")
        self.port, self.first_stan = int(port), first_stan


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--turnout", required=True)
    parser.add_argument("--phones", required=True)
    parser.add_argument("--terminal", default="T1")
    parser.add_argument("--subscriber", default="+9990001977")
    parser.add_argument("--line", action="append", required=True)
    parser.add_argument("--first-stan", type=int, default=1, help="where trace numbers begin: none may be used twice a day")
    parser.add_argument("--control", action="store_true")
    options = parser.parse_args()
    for number, text in enumerate(options.line):
        line = Line(text, options.first_stan + 1000 * number)
        stories = Stories(options, line)
        try:
            stories.play()
        except Wrong as wrong:
            print(f"{line.name} ({line.profile}, {line.framing}): {wrong}")
            return 1
        print(f"{line.name} ({line.profile}, {line.framing}): {stories.told} answers, each as a terminal may rely on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
