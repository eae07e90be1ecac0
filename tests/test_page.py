"""The status page, as Chromium shows it, of a firn that runs."""

import datetime
import http.client
import json
import re
import urllib.error
import urllib.request

import pytest
from harness.browser import DESKTOP, PHONE, Tab, chromium
from harness.waiting import wait_until

NAMES = ".source"


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def shop(pipeline):
    """Two tables that stream, one of which has deleted rows."""
    pipeline.execute(
        """CREATE TABLE orders (id int PRIMARY KEY, v text); CREATE TABLE items (id int PRIMARY KEY);
           INSERT INTO orders SELECT n, 'v' FROM generate_series(1, 1500) n; INSERT INTO items VALUES (1), (2)"""
    )
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    pipeline.execute("DELETE FROM orders WHERE id <= 20; UPDATE orders SET v = 'w' WHERE id <= 30")
    wait_until(lambda: contents(pipeline, "public.orders").get("rows") == 1480, "the changes are committed")
    return pipeline


def status_of(pipeline):
    return json.loads(pipeline.firn.get("/status"))


def contents(pipeline, source):
    (table,) = (table for table in status_of(pipeline)["tables"] if table["source"] == source)
    return table["contents"] or {}


def open_page(tab, pipeline):
    tab.page.goto(f"http://127.0.0.1:{pipeline.firn.http_port}/")
    tab.page.locator("#rows tr").first.wait_for()


def numbers(tab, source):
    row = tab.page.locator("#rows tr", has_text=source)
    return [int(re.sub(r"\D", "", cell)) for cell in row.locator("td.number").all_inner_texts()[:3]]


def test_the_page_shows_what_status_says(shop, browser):
    with Tab(browser) as tab:
        open_page(tab, shop)
        wait_until(lambda: numbers(tab, "public.orders")[0] == 1480, "the page shows the rows")
        for source in ("public.orders", "public.items"):
            told = contents(shop, source)
            assert numbers(tab, source) == [told["rows"], told["data_files"], told["deleted_rows"]]
        assert contents(shop, "public.orders")["deleted_rows"] == 30
        status = wait_until(
            lambda: (lambda told: told["slot"] and told["slot"]["active"] and told)(status_of(shop)), "firn has looked at its slot"
        )
        assert status["memory_bytes"] > 1_000_000 and status["index_bytes"] > 0
        assert tab.text("#state") == "streaming"
        assert tab.text("#pipeline") == shop.database
        # No change comes any more: every stage reaches the same place, and the page shows it.
        wait_until(lambda: len(set(tab.texts(".lsn"))) == 1, "all stages are even")
        lsn = tab.texts(".lsn")[0]
        assert re.fullmatch(r"[0-9A-F]+/[0-9A-F]+", lsn)
        wait_until(lambda: "all is in Iceberg" in tab.text("#where"), "nothing waits")
        assert len(tab.texts("figure")) == 4
        assert tab.page.locator("figure .line").first.get_attribute("d").startswith("M")
        assert tab.problems == []
        assert {re.match(r"\w+://[^/]+", url)[0] for url in tab.requests if not url.startswith("data:")} == {
            f"http://127.0.0.1:{shop.firn.http_port}"
        }
    shop.firn.stop()


def test_tables_are_sorted_and_filtered(shop, browser):
    with Tab(browser) as tab:
        open_page(tab, shop)
        assert tab.texts(NAMES) == ["public.items", "public.orders"]
        # By keyboard: the heads of the columns are buttons.
        tab.page.get_by_role("button", name="Rows").focus()
        tab.page.keyboard.press("Enter")
        assert tab.texts(NAMES) == ["public.orders", "public.items"]
        assert tab.page.locator("th", has_text="Rows").get_attribute("aria-sort") == "descending"
        tab.page.keyboard.press("Enter")
        assert tab.texts(NAMES) == ["public.items", "public.orders"]
        tab.page.get_by_label("Filter tables by name").fill("ORD")
        assert tab.texts(NAMES) == ["public.orders"]
        assert tab.text("#table-count") == "1 of 2"
        tab.page.get_by_label("Filter tables by name").fill("nowhere")
        assert tab.text("#nothing") == "No table is like that."
        tab.page.get_by_label("Filter tables by name").fill("")
        tab.page.get_by_role("button", name="streaming 2").click()
        assert tab.texts(NAMES) == ["public.items", "public.orders"]
        assert tab.problems == []
    shop.firn.stop()


def test_the_page_outlives_a_restart(shop, browser):
    with Tab(browser) as tab:
        open_page(tab, shop)
        shop.firn.kill()
        tab.page.get_by_text("firn does not answer").wait_for()
        assert tab.text("#state") == "unreachable"
        assert "public.orders" in tab.text("#rows"), "what was known last stays"
        assert tab.accessibility_problems() == []
        shop.execute("INSERT INTO items SELECT generate_series(10, 14)")
        shop.firn.start()
        wait_until(lambda: tab.text("#state") == "streaming", "the page finds firn again")
        wait_until(lambda: numbers(tab, "public.items")[0] == 7, "the page goes on")
        assert tab.page.get_by_text("firn does not answer").count() == 0
    shop.firn.stop()


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(shop, browser, viewport, scheme):
    with Tab(browser, viewport=viewport, scheme=scheme) as tab:
        open_page(tab, shop)
        ground = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", ground))) > 384) == (scheme == "light")
        assert tab.accessibility_problems() == []
        assert not tab.overflows()
        assert tab.problems == []
    shop.firn.stop()


def test_a_name_is_text(pipeline, browser):
    name = "<img src=x onerror=alert(1)>"
    pipeline.execute(f'CREATE TABLE "{name}" (id int PRIMARY KEY)')
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    with Tab(browser) as tab:
        open_page(tab, pipeline)
        assert tab.texts(NAMES) == [f"public.{name}"]
        assert tab.page.locator("main img").count() == 0
        assert tab.problems == []
    pipeline.firn.stop()


@pytest.fixture
def scripted(shop, browser):
    """The page, with a status that a test changes."""
    status = status_of(shop)
    with Tab(browser) as tab:
        tab.answer("/status", status)
        open_page(tab, shop)

        def show(change):
            change(status)
            tab.answer("/status", status)

        yield tab, show
        assert tab.problems == []
        assert tab.accessibility_problems() == []
    shop.firn.stop()


def test_a_copy_shows_its_progress_and_the_time_left(scripted):
    tab, show = scripted
    rows = {"state": "copying", "rows_estimated": 1_000_000, "rows_copied": 100_000}
    show(lambda status: (status.update(state="copying"), status["tables"][0].update(rows)))
    tab.page.get_by_text("100,000 of about 1,000,000 rows").wait_for()
    assert tab.page.locator("progress:visible").evaluate("bar => bar.value") == 10
    show(lambda status: status["tables"][0].update(rows_copied=150_000))
    tab.page.get_by_text(re.compile(r"150,000 of about 1,000,000 rows, .+ left")).wait_for()
    assert "Rows copied" in tab.text("#charts")


def test_many_tables_keep_their_head_and_large_numbers_their_place(scripted):
    tab, show = scripted
    contents = dict.fromkeys(("rows", "data_files", "delete_files", "deleted_rows", "bytes"), 123_456_789_012)

    def many(status):
        first = status["tables"][0]
        status["tables"] = [first | {"source": f"public.t{n}", "contents": contents} for n in range(200)]

    show(many)
    tab.page.get_by_text("public.t199").wait_for()
    head = tab.page.locator("#columns th").first
    tab.page.locator("#tables").scroll_into_view_if_needed()
    before = head.bounding_box()["y"]
    tab.page.evaluate("document.querySelector('.scroll').scrollTop = 3000")
    assert abs(head.bounding_box()["y"] - before) < 2, "the columns stay named"
    tab.page.set_viewport_size(PHONE)
    rows, files = (box.bounding_box() for box in tab.page.locator("#rows tr").first.locator("td.number").all()[:2])
    overlaps = "cell => cell.scrollWidth > cell.clientWidth"
    assert not tab.page.locator("#rows tr").first.locator("td.number").first.evaluate(overlaps)
    assert rows["x"] + rows["width"] <= files["x"] or rows["y"] + rows["height"] <= files["y"]
    assert not tab.overflows()


def test_a_chart_names_its_scale(scripted):
    tab, _ = scripted
    wait_until(lambda: all(tab.texts(".top-line")), "each chart has the value of its top line")
    assert tab.texts(".top-line")[0].endswith(" s")


def test_what_is_wrong_comes_first_with_its_remedy(scripted):
    tab, show = scripted
    reason = "column price: NaN does not fit decimal(9, 2); set on_unrepresentable: null"
    next_try = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=7)).isoformat(timespec="milliseconds")
    parked = {"source": "public.zebra", "state": "parked", "reason": reason, "next_try": next_try}
    show(lambda status: status["tables"][1].update(parked))
    tab.page.get_by_text("A table is parked").wait_for()
    assert tab.texts(NAMES)[0] == "public.zebra"
    assert reason in tab.texts("#rows tr")[0]
    assert re.search("tried again in [67] min", tab.texts("#rows tr")[0])
    # Those of a status that stands still are even sooner or later.
    show(lambda status: status.update({name: "0/1000000" for name in status if name.endswith("_lsn")}))
    tab.page.get_by_text("all is in Iceberg, but for a table that is parked").wait_for()
    show(lambda status: status.update(slot_warning="slot 'x' may be lost after 100 more"))
    tab.page.get_by_text("slot 'x' may be lost after 100 more").wait_for()
    failure = {"message": "the catalog is gone; start it", "at": "2026-01-01T00:00:00.000Z"}
    show(lambda status: status.update(state="retrying", last_failure=failure))
    tab.page.get_by_text("the catalog is gone; start it").wait_for()
    show(lambda status: status["slot"].update(wal_status="lost"))
    tab.page.get_by_text("The replication slot is lost").wait_for()


TOKEN = "a token of the tests, long enough"


def act(pipeline, action, body=None, token=TOKEN, **headers):
    """POST, as a script does it: the status and the answer."""
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(
        f"http://127.0.0.1:{pipeline.firn.http_port}/actions/{action}",
        data=json.dumps(body or {}).encode(),
        headers={"Content-Type": "application/json"} | headers,
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.fixture
def acting(pipeline):
    """Two tables, and a page that may act."""
    pipeline.configure(http={"token": TOKEN})
    pipeline.execute("CREATE TABLE orders (id int PRIMARY KEY); CREATE TABLE items (id int PRIMARY KEY); INSERT INTO orders VALUES (1)")
    pipeline.firn.start()
    pipeline.firn.wait_streaming()
    return pipeline


def test_actions_by_http(acting):
    assert act(acting, "pause", token=None)[0] == 401
    assert act(acting, "pause", token=TOKEN[:-1])[0] == 401
    assert act(acting, "pause", token=TOKEN + "x")[0] == 401
    assert act(acting, "pause", token=None, Cookie=f"token={TOKEN}")[0] == 401
    assert act(acting, "resume")[0] == 409
    assert act(acting, "resync", {"table": "public.nothing"})[0] == 404
    assert act(acting, "resync", {"tables": []})[0] == 400
    assert act(acting, "compact", token=None)[0] == 401
    assert act(acting, "compact", {"table": "public.nothing"})[0] == 404

    # A pause: what is there is committed, what comes later waits in PostgreSQL, and the connection stays.
    acting.execute("INSERT INTO orders VALUES (2)")
    assert act(acting, "pause")[0] == 200
    assert act(acting, "pause")[0] == 409
    wait_until(lambda: acting.firn.status()["state"] == "paused", "the stream is paused")
    assert 'firn_pipeline_state{state="paused"} 1' in acting.firn.get("/metrics")
    acting.execute("INSERT INTO orders VALUES (3); INSERT INTO items VALUES (3)")
    before = acting.current_lsn()
    status, answer = act(acting, "resync", {"table": "public.items"})
    assert status == 200 and "once the stream goes on" in answer["outcome"]
    wait_until(lambda: acting.firn.status()["lag_seconds"] > 1, "the lag grows")
    assert {row["id"] for row in acting.rows("orders")} <= {1, 2}
    assert not acting.has_acknowledged(before)
    assert acting.firn.status()["state"] == "paused" and acting.firn.status()["last_failure"] is None
    assert act(acting, "resume")[0] == 200
    wait_until(lambda: acting.has_acknowledged(before), "the stream goes on")
    wait_until(lambda: "a table is copied again by request" in acting.firn.log_text(), "the request is heard")
    acting.firn.wait_streaming()
    acting.firn.stop()
    acting.catch_up()
    acting.expect_equal("orders", "items", engines=("pyiceberg",))
    assert TOKEN not in acting.firn.log_text()


def test_an_action_needs_no_body(acting):
    """As curl -X POST sends it: without a body, and without a length of one."""
    for action in ("pause", "resume"):
        connection = http.client.HTTPConnection("127.0.0.1", acting.firn.http_port, timeout=30)
        connection.putrequest("POST", f"/actions/{action}")
        connection.putheader("Authorization", f"Bearer {TOKEN}")
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        connection.close()
    acting.firn.stop()


def test_a_paused_firn_stops_when_it_is_told_to(acting):
    assert act(acting, "pause")[0] == 200
    wait_until(lambda: acting.firn.status()["state"] == "paused", "the stream is paused")
    acting.execute("INSERT INTO orders VALUES (2)")
    acting.firn.stop()
    assert len(acting.rows("orders")) == 1
    acting.firn.start()
    acting.firn.wait_streaming()
    wait_until(lambda: len(acting.rows("orders")) == 2, "a new start is not paused")
    acting.firn.stop()


def test_there_are_no_actions_without_a_token(shop, browser):
    status, answer = act(shop, "pause")
    assert status == 403 and "http.token" in answer["error"]
    with Tab(browser) as tab:
        open_page(tab, shop)
        assert not tab.page.get_by_role("button", name="Actions").is_visible()
        assert tab.problems == []
    shop.firn.stop()


@pytest.mark.parametrize("viewport,scheme", [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop", "phone"])
def test_the_page_acts_once_it_has_the_token(acting, browser, viewport, scheme):
    with Tab(browser, viewport=viewport, scheme=scheme) as tab:
        open_page(tab, acting)
        page = tab.page
        assert page.get_by_role("button", name="Pause").count() == 0
        # By keyboard.
        page.get_by_role("button", name="Actions").focus()
        page.keyboard.press("Enter")
        page.keyboard.type("not the token at all")
        assert tab.accessibility_problems() == []
        page.keyboard.press("Enter")
        page.get_by_text("firn does not take that token.").wait_for()
        assert page.get_by_role("button", name="Pause").count() == 0
        page.get_by_label("The token of this pipeline").fill(TOKEN)
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Pause").click()
        wait_until(lambda: tab.text("#state") == "paused", "the page shows the pause")
        assert tab.accessibility_problems() == []
        assert not tab.overflows()
        # The tab keeps it, and no other place does.
        page.reload()
        page.get_by_role("button", name="Resume").click()
        wait_until(lambda: tab.text("#state") == "streaming", "the page shows that it goes on")
        assert page.evaluate("JSON.stringify(localStorage) + document.cookie") == "{}"
        page.get_by_role("button", name="Copy public.orders again").click()
        page.get_by_text("public.orders is copied again; readers see").wait_for()
        wait_until(lambda: "a table is copied again by request" in acting.firn.log_text(), "the request is heard")
        page.get_by_role("button", name="Compact public.items").click()
        page.get_by_text("public.items is compacted; the log tells").wait_for()
        wait_until(lambda: "there is nothing to compact table=public.items" in acting.firn.log_text(), "its one file is looked at")
        page.get_by_role("button", name="Lock actions").click()
        assert page.get_by_role("button", name="Pause").count() == 0
        assert page.evaluate("sessionStorage.length") == 0
        assert all(TOKEN not in url for url in tab.requests)
        assert tab.problems == []
    acting.firn.stop()
