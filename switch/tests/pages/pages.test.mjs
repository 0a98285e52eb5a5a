// The pages in a real Chromium: a payer and a cashier play the story, and the console stays silent.
//
// Against the real switch: PHONE_URL, TILL_URL and LIVE_URL name the three listeners, and TERMINAL, TERMINAL_KEY, SUBSCRIBER,
// ACCOUNT and PASSWORD say who plays. Without them the pages run on mock/switch.mjs, where lost answers can be played too.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { DESK, PHONE, launch, shot, tab, tooWide } from "./chromium.mjs";
import { mockSwitch } from "./mock/switch.mjs";

const { PHONE_URL, TILL_URL, LIVE_URL } = process.env;
const real = Boolean(PHONE_URL);
const who = {
  terminal: process.env.TERMINAL ?? "T1",
  key: process.env.TERMINAL_KEY ?? "till-key-1",
  subscriber: process.env.SUBSCRIBER ?? "0000000100",
  account: process.env.ACCOUNT ?? "anna",
  password: process.env.PASSWORD ?? "open sesame",
};

let browser;
let mock;
let urls;

before(async () => {
  mock = real ? null : await mockSwitch();
  urls = real ? { phone: PHONE_URL, till: TILL_URL, live: LIVE_URL } : mock;
  browser = await launch();
});

after(async () => {
  await browser?.close();
  mock?.close();
});

test("a_bad_page_is_caught_complaining_so_that_silence_means_something", async () => {
  const policy = { "content-type": "text/html", "content-security-policy": "default-src 'none'; script-src 'self'" };
  const server = createServer((request, response) => {
    if (request.url === "/bad.js")
      return response.writeHead(200, { "content-type": "text/javascript" }).end("throw new Error('uncaught')");
    return response.writeHead(200, policy).end("<script src=bad.js></script><script>inline()</script><img src=gone.png>");
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { complaints, context } = await tab(browser, `http://127.0.0.1:${server.address().port}/`);
  await context.close();
  server.close();
  assert.ok(
    complaints.some((text) => text.includes("uncaught")),
    "an exception",
  );
  assert.ok(
    complaints.some((text) => /content security policy/i.test(text)),
    "the policy",
  );
});

test("a_wrong_password_costs_one_attempt_and_the_right_one_pays_at_both_ends", async () => {
  const till = await openTill();
  const phone = await openPhone();
  await stand(phone.page);
  await till.page.getByText("A phone stands here").waitFor();
  await shot(till.page, "till-bound");
  await charge(till.page, "1250");
  await phone.page.getByRole("button", { name: "Confirm" }).waitFor();
  assert.match(await phone.page.locator(".sum").innerText(), /12\.50\s*EUR/);
  await shot(phone.page, "phone-confirm");
  await phone.page.getByRole("button", { name: "Confirm" }).click();
  await pay(phone.page, "wrong");
  await phone.page
    .getByText(/Attempt 2 of \d/)
    .first()
    .waitFor();
  assert.equal(await phone.page.getByLabel("Password").inputValue(), "");
  await shot(phone.page, "phone-second-attempt");
  await pay(phone.page, who.password);
  await phone.page.getByText("Paid", { exact: true }).waitFor();
  await till.page.getByText("Approved", { exact: true }).first().waitFor();
  await shot(phone.page, "phone-paid");
  await shot(till.page, "till-approved");
  await phone.page.getByRole("button", { name: "Done" }).click();
  await phone.page.getByRole("button", { name: "History" }).click();
  await phone.page.locator("#history .entry").first().waitFor();
  assert.match(await phone.page.locator("#history .entry").first().innerText(), /Approved/);
  await shot(phone.page, "phone-history");
  await fitsAndIsSilent(till, phone);
});

test("the_amount_may_come_first_and_a_no_is_told_at_the_till_with_its_reason", async () => {
  const till = await openTill();
  await charge(till.page, "300");
  await till.page.getByText("Waiting for the customer's phone").waitFor();
  await shot(till.page, "till-waits-for-phone");
  const phone = await openPhone();
  await stand(phone.page);
  await phone.page.getByRole("button", { name: "Decline" }).click();
  await phone.page.getByText("Not paid", { exact: true }).waitFor();
  await till.page.locator("#work").getByText("Declined", { exact: true }).waitFor();
  assert.match(await till.page.locator("#work").innerText(), /payer declined/i);
  await shot(till.page, "till-declined");
  await shot(phone.page, "phone-declined");
  await fitsAndIsSilent(till, phone);
});

test("wrong_passwords_are_counted_and_end_in_a_clear_decline", async () => {
  const till = await openTill();
  const phone = await openPhone();
  await stand(phone.page);
  await charge(till.page, "1500");
  await phone.page.getByRole("button", { name: "Confirm" }).click();
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    await phone.page.getByText(`Attempt ${attempt} of 3`).waitFor();
    await pay(phone.page, "wrong");
  }
  await phone.page.getByText("Not paid", { exact: true }).waitFor();
  await till.page.locator("#work").getByText("Declined", { exact: true }).waitFor();
  assert.match(await till.page.locator("#work").innerText(), /wrong too often/);
  await fitsAndIsSilent(till, phone);
});

test("what_was_paid_is_refunded_in_part", async () => {
  const { till, phone } = await paid("2000");
  await till.page.getByRole("button", { name: "Refund…" }).click();
  await till.page.getByLabel("Amount in EUR").fill("7.50");
  await shot(till.page, "till-refund");
  await till.page.getByRole("button", { name: "Refund", exact: true }).click();
  await till.page.getByText(/7\.50.EUR, paid out/).waitFor();
  await fitsAndIsSilent(till, phone);
});

test("what_was_paid_is_taken_back", async () => {
  const { till, phone } = await paid("400");
  await till.page.getByRole("button", { name: "Take it back" }).click();
  await till.page.locator("#work").getByText("Taken back", { exact: true }).waitFor();
  await phone.page.getByText("Taken back", { exact: true }).waitFor();
  await shot(till.page, "till-taken-back");
  await fitsAndIsSilent(till, phone);
});

test("a_till_that_is_reloaded_in_mid_payment_goes_on_with_the_same_payment", async () => {
  const till = await openTill();
  const phone = await openPhone();
  await stand(phone.page);
  await charge(till.page, "500");
  await phone.page.getByRole("button", { name: "Confirm" }).click();
  await phone.page.getByLabel("Password").waitFor();
  await till.page.reload();
  await phone.page.reload();
  await till.page.getByText("The customer is paying").waitFor();
  await pay(phone.page, who.password);
  await till.page.getByText("Approved", { exact: true }).first().waitFor();
  assert.equal(await till.page.locator("#sales .entry").count(), 1);
  await fitsAndIsSilent(till, phone);
});

test("the_live_page_shows_the_switch_at_work_and_a_payments_whole_journey", async () => {
  const { till, phone } = await paid("600");
  for (const [name, viewport] of [
    ["phone", PHONE],
    ["desk", DESK],
  ]) {
    const live = await tab(browser, urls.live, { viewport, colorScheme: name === "desk" ? "dark" : "light" });
    await live.page.locator("#recent .entry").first().waitFor();
    await live.page.waitForTimeout(real ? 5000 : 2500);
    await shot(live.page, `live-${name}`);
    await live.page.locator("#recent .entry").first().click();
    await live.page.locator(".journey li").nth(3).waitFor();
    await shot(live.page, `live-${name}-journey`, { fullPage: false });
    await fitsAndIsSilent(live);
  }
  await fitsAndIsSilent(till, phone);
});

test("the_live_page_shows_the_lines_and_who_was_heard_on_each", { skip: real }, async () => {
  const live = await tab(browser, urls.live, { viewport: PHONE });
  await live.page.locator("#lines .entry").first().click();
  await live.page.locator("#heard li").nth(1).waitFor();
  assert.deepEqual(await live.page.locator("#heard .tag").allTextContents(), ["Online", "Offline"]);
  await shot(live.page, "live-line", { fullPage: false });
  await live.page.getByRole("button", { name: "Close" }).click();
  await live.page.locator("#heard li").first().waitFor({ state: "hidden" });
  await fitsAndIsSilent(live);
});

test("an_amount_that_the_switch_refuses_is_said_so_and_leaves_nothing_behind", { skip: real }, async () => {
  const till = await openTill();
  await charge(till.page, "9999999");
  await till.page.getByText("above what this terminal may ask").waitFor();
  await till.page.getByText("No sales yet.").waitFor();
  await till.context.close();
});

test("a_lost_answer_is_asked_for_again_under_the_same_key", { skip: real }, async () => {
  const till = await openTill();
  mock.world.trouble.loseAnswers = 2;
  await charge(till.page, "700");
  await till.page.getByText("Waiting for the customer's phone").waitFor();
  const asked = mock.world.requests.filter(
    ({ method, path, body }) => method === "POST" && path === "/v1/payments" && body.includes('"7.00"'),
  );
  assert.equal(asked.length, 3);
  assert.equal(new Set(asked.map(({ headers }) => headers["idempotency-key"])).size, 1);
  await till.page.getByRole("button", { name: "Cancel the sale" }).click();
  await till.page.locator("#work").getByText("Declined", { exact: true }).waitFor();
  await till.context.close();
});

test("a_cancelled_sale_that_never_reached_the_switch_is_taken_back_by_its_key", { skip: real }, async () => {
  const till = await openTill();
  mock.world.trouble.mute.add("till");
  await charge(till.page, "800");
  await till.page.getByText("No network. The same request").waitFor();
  await shot(till.page, "till-no-network");
  await till.page.getByRole("button", { name: "Cancel the sale" }).click();
  await till.page.reload();
  await till.page.getByText("Taking it back").waitFor();
  mock.world.trouble.mute.clear();
  await till.page.locator("#work").getByText("Taken back", { exact: true }).waitFor();
  assert.equal(mock.world.tombstones.size, 1);
  await till.context.close();
});

test("a_log_in_that_ran_out_does_not_lose_the_payment", { skip: real }, async () => {
  const till = await openTill();
  const phone = await openPhone();
  await stand(phone.page);
  await charge(till.page, "900");
  await phone.page.getByRole("button", { name: "Confirm" }).waitFor();
  mock.world.tokens.clear();
  await phone.page.getByRole("button", { name: "Confirm" }).click();
  await phone.page.getByText("your payment is still there").waitFor();
  await shot(phone.page, "phone-logged-out");
  await logIn(phone.page);
  await phone.page.getByRole("button", { name: "Confirm" }).click();
  await pay(phone.page, who.password);
  await till.page.getByText("Approved", { exact: true }).first().waitFor();
  await Promise.all([till.context.close(), phone.context.close()]);
});

test("a_doubt_is_explained_and_ends", { skip: real }, async () => {
  const till = await openTill("dark");
  const phone = await openPhone("dark");
  await stand(phone.page);
  await charge(till.page, "1000");
  await phone.page.getByRole("button", { name: "Confirm" }).click();
  await pay(phone.page, who.password, "silent");
  await phone.page.getByText("We do not know yet").waitFor();
  await shot(phone.page, "phone-in-doubt");
  await shot(till.page, "till-in-doubt");
  await phone.page.getByText("Not paid", { exact: true }).waitFor();
  await till.page.locator("#work").getByText("Declined", { exact: true }).waitFor();
  await fitsAndIsSilent(till, phone);
});

test("a_phone_that_lost_the_stream_comes_back_to_what_it_missed", { skip: real }, async () => {
  const phone = await openPhone();
  await stand(phone.page);
  mock.world.trouble.mute.add("phone");
  mock.world.streams.forEach((stream) => stream.destroy());
  await phone.page.getByText("No network").waitFor();
  const till = await openTill();
  await charge(till.page, "1100");
  mock.world.trouble.mute.clear();
  await phone.page.getByRole("button", { name: "Confirm" }).waitFor();
  await phone.page.getByText("Connected").waitFor();
  await phone.page.getByRole("button", { name: "Decline" }).click();
  await till.page.locator("#work").getByText("Declined", { exact: true }).waitFor();
  await Promise.all([till.context.close(), phone.context.close()]);
});

test("a_page_that_came_over_plain_http_says_that_it_cannot_seal", { skip: real }, async () => {
  const context = await browser.newContext({ viewport: PHONE });
  const page = await context.newPage();
  await page.addInitScript(() => Object.defineProperty(globalThis, "isSecureContext", { value: false }));
  await page.goto(urls.phone);
  await page.getByText("This page needs a secure connection").waitFor();
  await shot(page, "phone-insecure");
  await context.close();
});

test("no_password_stays_in_the_browser_and_no_key_in_the_address", async () => {
  const { till, phone } = await paid("1300");
  const kept = await phone.page.evaluate(() =>
    JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.documentElement.outerHTML]),
  );
  assert.ok(kept.includes(who.terminal), "the search finds what is there");
  assert.ok(!kept.includes(who.password));
  assert.ok(!till.page.url().includes(who.key));
  if (mock) assert.ok(!mock.world.requests.some(({ body }) => body.includes(who.password)));
  await fitsAndIsSilent(till, phone);
});

async function openTill(colorScheme = "light") {
  const till = await tab(browser, `${urls.till}#terminal=${who.terminal}&key=${encodeURIComponent(who.key)}`, {
    colorScheme,
  });
  await till.page.getByRole("button", { name: "Charge" }).waitFor();
  return till;
}

async function openPhone(colorScheme = "light") {
  const phone = await tab(browser, `${urls.phone}#terminal=${who.terminal}`, { viewport: PHONE, colorScheme });
  await shot(phone.page, "phone-log-in");
  await logIn(phone.page);
  return phone;
}

async function logIn(page) {
  await page.getByLabel("Your mobile number").fill(who.subscriber);
  await page.getByRole("button", { name: "Send me a code" }).click();
  await page.getByText("Your code is").waitFor();
  await shot(page, "phone-code");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("button", { name: "Log out" }).waitFor();
}

async function stand(page) {
  assert.equal(await page.getByLabel("Terminal", { exact: true }).inputValue(), who.terminal);
  await shot(page, "phone-stand");
  await page.getByRole("button", { name: "I stand here" }).click();
  await page.getByRole("button", { name: "Leave" }).waitFor();
  await shot(page, "phone-standing");
}

async function charge(page, digits) {
  await page.getByRole("button", { name: "Delete the last digit" }).waitFor();
  for (const digit of digits) await page.locator(`[data-key="${digit}"]`).click();
  await shot(page, "till-amount");
  await page.getByRole("button", { name: /^Charge/ }).click();
}

async function pay(page, password, account = who.account) {
  await page.getByLabel("Account").fill(account);
  await page.getByLabel("Password").fill(password);
  await shot(page, "phone-pay");
  await page.getByRole("button", { name: /^Pay \d/ }).click();
}

async function paid(digits) {
  const till = await openTill();
  const phone = await openPhone();
  await stand(phone.page);
  await charge(till.page, digits);
  await phone.page.getByRole("button", { name: "Confirm" }).click();
  await pay(phone.page, who.password);
  await phone.page.getByText("Paid", { exact: true }).waitFor();
  await till.page.getByText("Approved", { exact: true }).first().waitFor();
  return { till, phone };
}

/** Every page: nothing sticks out on either screen, nothing was complained about. */
async function fitsAndIsSilent(...tabs) {
  for (const { page, context, complaints } of tabs) {
    for (const viewport of [DESK, PHONE]) {
      await page.setViewportSize(viewport);
      assert.equal(await tooWide(page), false, `${page.url()} at ${viewport.width}`);
    }
    await shot(page, `narrow-${new URL(page.url()).port}`);
    await context.close();
    assert.deepEqual(complaints, []);
  }
}
