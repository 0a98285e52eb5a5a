#!/usr/bin/env python3
"""Asks pyiso8583 (4.0.1, MIT), which nobody here wrote, about random messages: are the bytes and the values the same?

The specs below are written from the standard's table for pyiso8583, not derived from our dialects. For each message: our
bytes are its bytes; what it wrote we read; and of damaged bytes everything that we take it takes too, as the same fields.
Before that, controls: specs with one thing wrong each, every one of which must be noticed.

    iso_differential.py BINARY [--messages N] [--seed S]        BINARY: target/debug/examples/iso_codec
"""
import argparse, copy, json, random, subprocess, sys
import iso8583
from iso8583.specs import default_ascii

# What the table says: field, content, size; `..` is variable. The same for A, B and C.
TABLE = """2 n..19 3 n6 4 n12 5 n12 6 n12 7 n10 8 n8 9 n8 10 n8 11 n6 12 n6 13 n4 14 n4 15 n4 16 n4 17 n4 18 n4 19 n3 20 n3
21 n3 22 n3 23 n3 24 n3 25 n2 26 n2 27 n1 28 x9 29 x9 30 x9 31 x9 32 n..11 33 n..11 34 s..28 35 z..37 36 s...104 37 s12
38 s6 39 s2 40 s3 41 s8 42 s15 43 s40 44 s..25 45 s..76 46 s...999 47 s...999 48 s...999 49 s3 50 s3 51 s3 52 b8 53 n16
54 s...120 55 b...255 56 s...999 57 s...999 58 s...999 59 s...999 60 s...999 61 s...999 62 s...999 63 s...999 64 b8 66 n1
67 n2 68 n3 69 n3 70 n3 71 n4 72 n4 73 n6 74 n10 75 n10 76 n10 77 n10 78 n10 79 n10 80 n10 81 n10 82 n12 83 n12 84 n12
85 n12 86 n16 87 n16 88 n16 89 n16 90 n42 91 s1 92 s2 93 s6 94 s7 95 s42 96 b16 97 x17 98 s25 99 n..11 100 n..11
101 s..17 102 s..28 103 s..28 104 s...100""".split() + [word for n in range(105, 128) for word in (str(n), "s...999")] + ["128", "b8"]
# In which sizes pyiso8583's own published spec is of another opinion: options of the standard, see ISO8583.
OTHERS_OPINION = {54, 93, 96}

PROFILES = {"A": "iso87-ascii", "B": "iso87-ascii-bin", "C": "iso87-bcd"}
TEXT = "".join(map(chr, range(32, 127)))
MTIS = ["0100", "0110", "0200", "0210", "0221", "0400", "0421", "0430", "0500", "0800", "0810"]


def definitions():
    for n, spelt in zip(TABLE[::2], TABLE[1::2]):
        size = spelt[1:].lstrip(".")
        yield int(n), spelt[0], int(size), len(spelt) - 1 - len(size)  # 0, 2 or 3 dots: fixed, LL, LLL


DEFINITIONS = {n: (content, size, dots) for n, content, size, dots in definitions()}


def spec(profile):
    """The table as profile A, B or C has it, in pyiso8583's words."""
    packed, raw = profile == "C", profile != "A"
    head = {"data_enc": "b" if packed else "ascii", "len_enc": "ascii", "len_type": 0, "max_len": 2 if packed else 4}
    bitmap = {"data_enc": "b" if raw else "ascii", "len_enc": "ascii", "len_type": 0, "max_len": 8 if raw else 16}
    made = {"h": dict(head, max_len=0), "t": head, "p": bitmap, "1": dict(bitmap)}
    for n, (content, size, dots) in DEFINITIONS.items():
        field = {"data_enc": "ascii", "len_enc": "ascii", "len_type": dots, "max_len": size}
        if packed:
            field.update(len_enc="bcd", len_type={0: 0, 2: 1, 3: 2}[dots])
        if packed and content in "nz":
            field.update(data_enc="b", len_count="nibbles", **({"right_pad": "0"} if dots else {"left_pad": "0"}))
        if packed and content == "x":  # a sign in ASCII and digits packed, which it knows no word for: bytes
            field.update(data_enc="b", max_len=1 + (size - 1) // 2)
        if content == "b":
            field.update(**({"data_enc": "b"} if raw else {"max_len": 2 * size}))
        made[str(n)] = dict(field, desc="")
    return made


def theirs(profile, fields):
    """Our values in pyiso8583's spelling."""
    def one(n, value):
        content = DEFINITIONS[n][0]
        if profile == "C" and content == "z":
            return value.replace("=", "D")
        return value[:1].encode().hex() + value[1:] if profile == "C" and content == "x" else value
    return {str(n): one(n, value) for n, value in fields.items()}


def ours(profile, decoded):
    """Its values in our spelling."""
    def one(n, value):
        content = DEFINITIONS[n][0]
        if content == "z":
            return value.replace("D", "=")
        if content == "b":
            return value.upper()
        return bytes.fromhex(value[:2]).decode("latin-1") + value[2:] if profile == "C" and content == "x" else value
    return {int(n): one(int(n), value) for n, value in decoded.items() if n.isdigit() and n != "1"}


def value(dice, content, size, dots):
    length = dice.choice([0, 1, 2, size - 1, size, dice.randint(0, size)]) if dots else size
    digits = lambda count: "".join(dice.choices("0123456789", k=count))
    return {
        "n": lambda: digits(length),
        "x": lambda: dice.choice("CD") + digits(length - 1),
        "z": lambda: "".join(dice.choices("0123456789=", k=length)),
        "s": lambda: "".join(dice.choices(TEXT, k=length)),
        "b": lambda: dice.randbytes(length).hex().upper(),
    }[content]()


def messages(dice, count):
    for _ in range(count):
        chosen = sorted(dice.sample(sorted(DEFINITIONS), dice.randint(0, dice.choice([8, 24, len(DEFINITIONS)]))))
        yield dice.choice(MTIS), {n: value(dice, *DEFINITIONS[n]) for n in chosen}


def written(profile, its_spec, mti, fields):
    document = dict(theirs(profile, fields), t=mti)
    return bytes(iso8583.encode(document, its_spec)[0])


class Codec:
    def __init__(self, binary):
        self.binary = binary

    def ask(self, lines):
        done = subprocess.run([self.binary], input="\n".join(lines) + "\n", stdout=subprocess.PIPE, text=True, check=True)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        if len(answers) != len(lines):
            sys.exit(f"{len(lines)} questions, {len(answers)} answers")
        return answers


def disagreements(codec, profile, its_spec, drawn):
    """What was not the same, of sound messages both ways."""
    name, found = PROFILES[profile], []
    built = codec.ask([f"build {name} {json.dumps({'mti': mti, 'fields': fields})}" for mti, fields in drawn])
    frames = []
    for (mti, fields), answer in zip(drawn, built):
        try:
            frame = written(profile, its_spec, mti, fields)
        except iso8583.EncodeError as fault:
            found.append(f"pyiso8583 does not write what we {'write' if 'hex' in answer else 'refuse'}: {fault}")
            frame = bytes.fromhex(answer.get("hex", ""))
        if answer.get("hex") != frame.hex().upper():
            found.append(f"{mti} {sorted(fields)}: we write {answer}, it writes {frame.hex().upper()}")
        frames.append(frame)
    for (mti, fields), answer in zip(drawn, codec.ask([f"parse {name} {frame.hex()}" for frame in frames])):
        read = {int(n): text for n, text in answer.get("fields", {}).items()}
        if (answer.get("mti"), read) != (mti, fields):
            found.append(f"{mti} {sorted(fields)}: we read {answer}")
    for (mti, fields), answer in zip(drawn, built):
        try:
            decoded, _ = iso8583.decode(bytes.fromhex(answer.get("hex", "")), its_spec)
        except iso8583.DecodeError as fault:
            found.append(f"{mti} {sorted(fields)}: it does not read what we write: {fault}")
            continue
        if (decoded["t"], ours(profile, decoded)) != (mti, fields):
            found.append(f"{mti} {sorted(fields)}: it reads otherwise what we write")
    return found, frames


def damaged(dice, frame):
    bytes_ = bytearray(frame)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(bytes_))
        change = dice.randrange(5)
        if change == 0:
            bytes_[at] ^= 1 << dice.randrange(8)
        elif change == 1:
            bytes_[at] = dice.choice(b"0123456789ADF+- =\x00\xff")
        elif change == 2:
            bytes_.insert(at, dice.choice(b"09\x00"))
        elif change == 3:
            bytes_[at] |= dice.choice([0x0F, 0xF0])
        elif len(bytes_) > 1:
            del bytes_[at]
    return bytes(bytes_)


def disagreements_on_damage(codec, profile, its_spec, frames):
    """What we take and it does not, or takes for something else. It takes more than we do, which is known."""
    found, both, padded = [], 0, 0
    for frame, answer in zip(frames, codec.ask([f"parse {PROFILES[profile]} {frame.hex()}" for frame in frames])):
        if "fault" in answer:
            continue
        try:
            decoded, _ = iso8583.decode(frame, its_spec)
        except iso8583.DecodeError as fault:
            if "nibbles, expecting" in str(fault):
                padded += 1  # an F beside an odd digit, which some stacks write: we take it, it takes the 0 alone
            else:
                found.append(f"we take {frame.hex()}, it says {fault}")
            continue
        both += 1
        read = {int(n): text for n, text in answer["fields"].items()}
        if (answer["mti"], read) != (decoded["t"], ours(profile, decoded)):
            found.append(f"{frame.hex()}: we read {answer}, it {decoded}")
    return found, both, padded


def wrong(its_spec):
    """Specs with one thing wrong each, and what it is."""
    for what, n, change in [
        ("a trace number of seven digits", "11", {"max_len": 7}),
        ("an acquirer padded on the other side", "32", {"left_pad": "0"}),
        ("a terminal in EBCDIC", "41", {"data_enc": "cp500"}),
        ("a private field with one more digit in its length", "48", {"len_type": 4}),
        ("an original of 41 digits", "90", {"max_len": 41}),
    ]:
        changed = copy.deepcopy(its_spec)
        changed[n].update(change)
        if changed != its_spec:
            yield what, changed


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("binary")
    arguments.add_argument("--messages", "--rounds", type=int, default=2000)
    arguments.add_argument("--seed", type=int, default=8583)
    asked = arguments.parse_args()
    codec, dice = Codec(asked.binary), random.Random(asked.seed)

    published = {n for n, (content, size, dots) in DEFINITIONS.items()
                 if (default_ascii[str(n)]["len_type"], default_ascii[str(n)]["max_len"]) != (dots, size * (2 if content == "b" else 1))}
    if published != OTHERS_OPINION:
        sys.exit(f"sizes that pyiso8583's own spec has otherwise: {sorted(published)}, known {sorted(OTHERS_OPINION)}")

    for profile in PROFILES:
        its_spec = spec(profile)
        for what, changed in wrong(its_spec):
            if profile != "C" and "pad" in what:
                continue
            found, _ = disagreements(codec, profile, changed, list(messages(dice, 60)))
            print(f"{profile}: control, {what}: {len(found)} noticed")
            if not found:
                sys.exit("a control was not noticed: nothing is proved")
        drawn = list(messages(dice, asked.messages))
        found, frames = disagreements(codec, profile, its_spec, drawn)
        hurt = [damaged(dice, dice.choice(frames)) for _ in range(10 * asked.messages)]
        found_hurt, both, padded = disagreements_on_damage(codec, profile, its_spec, hurt)
        for one in (found + found_hurt)[:5]:
            print(one[:2000])
        print(f"{profile}: {len(drawn)} messages both ways, {len(found)} differ; {len(hurt)} damaged, {both} taken by both as"
              f" the same, {padded} with another pad, {len(found_hurt)} differ")
        if found or found_hurt or both < asked.messages // 100:
            sys.exit(1)


main()
