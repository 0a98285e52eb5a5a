#!/usr/bin/env python3
"""What PyPI's psec and cryptography say of our payment cryptography, both ways, with random keys from a seed.

Key blocks (TR-31 versions B and D), MACs, PIN blocks (formats 0, 3, 4) and the derivation of working keys
(SP 800-108) of `judged_crypto` (adapters/examples) are compared. First come the controls: a judge that takes a spoilt
value for a right one is no judge.

    tr31_judge.py BINARY [--rounds N] [--seed N]          needs: pip install psec==1.3.0
"""
import argparse, random, string, subprocess, sys, warnings

warnings.filterwarnings("ignore")  # the libraries say that TDES is old
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.kdf.kbkdf import CounterLocation, KBKDFCMAC, Mode
from psec import des, mac, pinblock, tr31

LENGTHS = {"des": 8, "tdes": 16, "tdes3": 24, "aes128": 16, "aes192": 24, "aes256": 32}
LETTERS = {"des": "D", "tdes": "T", "tdes3": "T", "aes128": "A", "aes192": "A", "aes256": "A"}
# Which keys may travel under which: no key under a weaker one.
TRAVELS = {
    "tdes": ["des", "tdes"],
    "tdes3": ["des", "tdes", "tdes3"],
    "aes128": ["des", "tdes", "tdes3", "aes128"],
    "aes192": ["tdes", "tdes3", "aes128", "aes192"],
    "aes256": ["tdes", "tdes3", "aes128", "aes192", "aes256"],
}
USAGES = [("P0", "E"), ("M3", "C"), ("M6", "C"), ("D0", "B"), ("K0", "B"), ("B0", "X")]


class Differs(Exception):
    """We and the others do not say the same."""


class Ours:
    """`judged_crypto`, asked line by line."""

    def __init__(self, binary):
        self.process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.asked = 0

    def ask(self, *words):
        self.asked += 1
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line.endswith("\n"):
            sys.exit(f"judged_crypto ended at: {words[0]}")
        return line[:-1]


def same(what, ours, theirs):
    if ours != theirs:
        raise Differs(f"{what}: ours {ours}, theirs {theirs}")


def key(dice, cipher):
    return dice.randbytes(LENGTHS[cipher])


def digits(dice, low, high):
    return "".join(dice.choice(string.digits) for _ in range(dice.randint(low, high)))


def opened(protection, block):
    """The key, its usage and first optional data by psec, or `refused`."""
    try:
        header, found = tr31.unwrap(protection, block)
    except ValueError:
        return "refused"
    data = next(iter(header.blocks.values()), "-")
    return f"{header.key_usage} {found.hex().upper()} {data}"


def spoilt(dice, text, alphabet="0123456789ABCDEF"):
    place = dice.randrange(len(text))
    other = dice.choice([letter for letter in alphabet if letter != text[place]])
    return text[:place] + other + text[place + 1 :]


def key_blocks(ours, dice):
    under = dice.choice(list(TRAVELS))
    cipher = dice.choice(TRAVELS[under])
    protection, travels = key(dice, under), key(dice, cipher)
    usage, mode = dice.choice(USAGES)
    data = dice.choice(["-", "".join(dice.choice(string.ascii_letters) for _ in range(dice.randint(1, 60)))])
    expected = f"{usage} {travels.hex().upper()} {data}"
    block = ours.ask("wrap", under, protection.hex(), usage, mode, cipher, travels.hex(), data)
    same("our key block", expected, opened(protection, block))
    header = tr31.Header("D" if under.startswith("aes") else "B", usage, LETTERS[cipher], mode, "00", "N")
    if data != "-":
        header.blocks["TT"] = data
    theirs = tr31.wrap(protection, header, travels)
    if data == "-":
        # With optional blocks both may fill up differently, and both are right.
        same("the length of a key block", len(block), len(theirs))
    same("their key block", ours.ask("unwrap", under, protection.hex(), theirs), expected)
    same("their spoilt key block", ours.ask("unwrap", under, protection.hex(), spoilt(dice, theirs)), "refused")
    same("our spoilt key block", opened(protection, spoilt(dice, block)), "refused")
    return block


def macs(ours, dice):
    message, tdes, tdes3, aes = dice.randbytes(dice.randint(1, 300)), key(dice, "tdes"), key(dice, "tdes3"), key(dice, "aes128")
    ask = lambda name, cipher, under: ours.ask("mac", name, cipher, under.hex(), message.hex())
    chained = lambda under: mac.generate_cbc_mac(under, message, 1, 8, mac.Algorithm.DES).hex().upper()
    same("x919", ask("x919", "tdes", tdes), mac.generate_retail_mac(tdes[:8], tdes[8:], message, 1).hex().upper())
    same("iso16609-tdes", ask("iso16609-tdes", "tdes", tdes), chained(tdes))
    same("iso16609-tdes, three keys", ask("iso16609-tdes", "tdes3", tdes3), chained(tdes3))
    same("x99", ask("x99", "des", tdes[:8]), chained(tdes[:8]))
    whole = CMAC(AES(aes))
    whole.update(message)
    same("aes-cmac", ask("aes-cmac", "aes128", aes), whole.finalize()[:8].hex().upper())


def pins(ours, dice):
    pin, pan = digits(dice, 4, 12), digits(dice, 13, 19)
    tdes, aes = key(dice, "tdes"), key(dice, dice.choice(["aes128", "aes192", "aes256"]))
    cipher = {16: "aes128", 24: "aes192", 32: "aes256"}[len(aes)]
    clear = lambda block: des.decrypt_tdes_ecb(tdes, bytes.fromhex(block))
    encode = lambda name, cipher, under: ours.ask("encode", name, cipher, under.hex(), pin, pan)
    decode = lambda name, cipher, under, block: ours.ask("decode", name, cipher, under.hex(), block.hex(), pan)
    same("our format 0", pinblock.decode_pinblock_iso_0(clear(encode("iso0", "tdes", tdes)), pan), pin)
    same("our format 3", pinblock.decode_pinblock_iso_3(clear(encode("iso3", "tdes", tdes)), pan), pin)
    same("our format 4", pinblock.decipher_pinblock_iso_4(aes, bytes.fromhex(encode("iso4", cipher, aes)), pan), pin)
    theirs = [
        ("iso0", "tdes", tdes, des.encrypt_tdes_ecb(tdes, pinblock.encode_pinblock_iso_0(pin, pan))),
        ("iso3", "tdes", tdes, des.encrypt_tdes_ecb(tdes, pinblock.encode_pinblock_iso_3(pin, pan))),
        ("iso4", cipher, aes, pinblock.encipher_pinblock_iso_4(aes, pin, pan)),
    ]
    for name, cipher, under, block in theirs:
        same(f"their {name}", decode(name, cipher, under, block), pin)


def working_keys(ours, dice):
    local, master, generation = key(dice, "aes256"), key(dice, "tdes"), dice.getrandbits(64)
    terminal = "".join(dice.choice(string.ascii_uppercase) for _ in range(dice.randint(1, 31)))
    handed = bytes.fromhex(ours.ask("hand-over", local.hex(), master.hex(), terminal, f"{generation:x}"))
    for place, purpose in enumerate(["pin", "mac", "data"]):
        context = bytes([len(terminal)]) + terminal.encode() + generation.to_bytes(8, "big")
        kdf = KBKDFCMAC(
            AES, Mode.CounterMode, 16, 4, 4, CounterLocation.BeforeFixed, f"turnout/{purpose}/tdes".encode(), context, None
        )
        derived = bytes(byte & 0xFE | (bin(byte >> 1).count("1") % 2 == 0) for byte in kdf.derive(local))
        part = handed[place * 20 : place * 20 + 20]
        same(f"the {purpose} key", des.decrypt_tdes_ecb(master, part[:16]).hex(), derived.hex())
        same("its check value", part[16:].hex(), des.encrypt_tdes_ecb(derived, bytes(8))[:4].hex())


def controls(ours, dice):
    """Each must be caught."""
    protection, other = key(dice, "tdes"), key(dice, "tdes")
    block = ours.ask("wrap", "tdes", protection.hex(), "P0", "E", "tdes", other.hex(), "-")
    if opened(other, block) != "refused":
        sys.exit("control: psec opened a key block under the wrong key")
    right = ours.ask("mac", "x919", "tdes", protection.hex(), "00" * 20)
    for wrong in [spoilt(dice, right), ours.ask("mac", "x919", "tdes", other.hex(), "00" * 20)]:
        try:
            same("control", right, wrong)
        except Differs:
            continue
        sys.exit("control: a wrong MAC was taken for a right one")
    as_mac_key = block[:5] + "M3" + block[7:]
    if opened(protection, as_mac_key) != "refused" or ours.ask("unwrap", "tdes", protection.hex(), as_mac_key) != "refused":
        sys.exit("control: a PIN key came out as a MAC key")
    print("controls: the wrong key, the wrong MAC and the changed usage were caught")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    ours, dice = Ours(asked.binary), random.Random(asked.seed)
    controls(ours, dice)
    for number in range(asked.rounds):
        for compare in (key_blocks, macs, pins, working_keys):
            try:
                compare(ours, dice)
            except Differs as what:
                sys.exit(f"DIFFERS in round {number} of seed {asked.seed}: {what}")
    print(f"{asked.rounds} rounds of seed {asked.seed}, {ours.asked} questions: no difference")


if __name__ == "__main__":
    main()
