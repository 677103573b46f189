"""API v2: jobs. Every answer is also held against /openapi.json by the client."""

import http.client
import re
import urllib.parse

import pytest

from client import Client, segment

URL = "http://127.0.0.1:9/nobody"


def body(name, schedule="@never", **more):
    target = {"type": "http", "url": URL, **more.pop("target", {})}
    return {"name": name, "schedule": schedule, "target": target, **more}


# ---- one job ------------------------------------------------------------------------------------

def test_a_new_job_shows_every_field_with_its_default(api, name):
    job = api.add(name, URL, "*/5 * * * *")
    assert job["zone"] == "UTC" and job["dst"] == "run" and job["overlap"] == "allow"
    assert job["delivery"] == "at_least_once" and job["paused"] is False and job["revision"] == 1
    assert job["target"]["method"] == "POST" and job["target"]["type"] == "http"
    assert job["retry"]["attempts"] == 5
    assert job["catch_up"]["mode"] == "latest" and job["catch_up"]["window"] == "1h"
    assert job["labels"] == {} and job["next_at"].endswith("Z")
    assert job["created_at"].endswith("Z") and job["updated_at"].endswith("Z")


def test_ids_and_names_both_address_a_job(api, name):
    job = api.add(name, URL)
    assert api.job(name) == api.job(job["id"]) == job


def test_a_slash_in_a_name_travels_escaped(api):
    job = api.add("reports/daily ünïcode", URL)
    assert api.job("reports/daily ünïcode")["id"] == job["id"]


def test_a_name_is_trimmed(api):
    assert api.add("  trimmed name  ", URL)["name"] == "trimmed name"


@pytest.mark.parametrize("bad", [
    "", "   ", "x" * 201, "line\nbreak", "bulk", "once", ".", "..",
    "0190a5d4-7b9c-7c3e-8f00-0123456789ab"])
def test_an_impossible_name_is_refused(api, bad):
    problem = api.refused(422, "POST", "/v2/jobs", body(bad))
    assert any(error["pointer"] == "/name" for error in problem["errors"]), problem


def test_a_name_is_unique_among_live_jobs_and_free_after_a_delete(api, name):
    api.add(name, URL)
    api.refused(409, "POST", "/v2/jobs", body(name))
    api.remove(name)
    api.refused(404, "GET", f"/v2/jobs/{segment(name)}")
    api.add(name, URL)


@pytest.mark.parametrize("field,wrong,hint", [
    ("schedul", "@never", "schedule"), ("labls", {}, "labels"), ("zonee", "UTC", "zone")])
def test_an_unknown_field_is_refused_with_a_near_match(api, name, field, wrong, hint):
    problem = api.refused(422, "POST", "/v2/jobs", {**body(name), field: wrong})
    assert hint in str(problem), problem


@pytest.mark.parametrize("pointer,change", [
    ("/schedule", {"schedule": "61 * * * *"}),
    ("/schedule", {"schedule": "0 0 31 2 *"}),
    ("/schedule", {"schedule": "@at 2001-01-01T00:00:00Z"}),
    ("/schedule", {"schedule": "0 9 * * MOM"}),
    ("/zone", {"zone": "Europe/Berln", "schedule": "@hourly"}),
    ("/overlap", {"overlap": "forbid"}),
    ("/delivery", {"delivery": "exactly_once"}),
    ("/dst", {"dst": "maybe"}),
    ("/target/url", {"target": {"url": "not a url"}}),
    ("/target/url", {"target": {"url": "ftp://example.org/"}}),
    ("/target/timeout", {"target": {"timeout": "soon"}}),
    ("/target/type", {"target": {"type": "pigeon"}}),
    ("/retry/attempts", {"retry": {"attempts": 0}}),
    ("/catch_up/mode", {"catch_up": {"mode": "some"}}),
])
def test_a_wrong_value_is_named_by_its_pointer(api, name, pointer, change):
    problem = api.refused(422, "POST", "/v2/jobs", body(name, **change))
    assert any(error["pointer"].startswith(pointer) for error in problem["errors"]), problem


@pytest.mark.parametrize("mistyped,meant", [
    ({"schedule": "0 9 * * MOM"}, "MON"), ({"zone": "Europe/Berln"}, "Europe/Berlin"),
    ({"delivery": "at_least_onc"}, "at_least_once")])
def test_a_mistyped_word_gets_a_near_match(api, name, mistyped, meant):
    assert meant in str(api.refused(422, "POST", "/v2/jobs", body(name, **mistyped)))


def test_overlap_that_comes_later_says_so(api, name):
    problem = api.refused(422, "POST", "/v2/jobs", body(name, overlap="queue"))
    assert re.search(r"later|not yet|only allow", str(problem)), problem


def test_at_most_once_has_one_attempt(api, name):
    job = api.add(name, URL, delivery="at_most_once")
    assert job["retry"]["attempts"] == 1
    problem = api.refused(422, "POST", "/v2/jobs",
                          body(name + "2", delivery="at_most_once", retry={"attempts": 3}))
    assert any(error["pointer"].startswith("/retry") for error in problem["errors"]), problem


def test_malformed_json_is_400_and_says_where(api):
    problem = api.refused((400, 422), "POST", "/v2/jobs", b'{"name": ')
    assert problem["code"]


def test_an_unknown_placeholder_is_refused_at_creation(api, name):
    problem = api.refused(422, "POST", "/v2/jobs", body(name, target={"body": "{{run.idd}}"}))
    assert "/target/body" in str(problem) and "run.id" in str(problem)


@pytest.mark.parametrize("url", [
    "http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/"])
def test_metadata_and_link_local_targets_are_refused(api, name, url):
    answer = api.send("POST", "/v2/jobs", body(name, target={"url": url}))
    if answer.status == 201:  # refused where it connects, at the latest
        run = api.run_now(name)
        assert run["state"] in ("requested", "claimed")
    else:
        assert answer.status == 422


# ---- change: merge patch, revisions, ETag --------------------------------------------------------

def test_a_merge_patch_changes_what_it_names(api, name):
    before = api.add(name, URL, labels={"team": "ops", "tier": "1"}, description="first")
    after = api.change(name, {"labels": {"tier": None, "new": "x"}, "description": "second"})
    assert after["labels"] == {"team": "ops", "new": "x"}
    assert after["description"] == "second" and after["revision"] == before["revision"] + 1
    assert after["target"] == before["target"] and after["created_at"] == before["created_at"]


def test_null_resets_to_the_default(api, name):
    api.add(name, URL, retry={"attempts": 9}, zone="Europe/Berlin")
    after = api.change(name, {"retry": None, "zone": None})
    assert after["retry"]["attempts"] == 5 and after["zone"] == "UTC"


def test_no_difference_makes_no_revision(api, name):
    before = api.add(name, URL, description="same")
    assert api.change(name, {"description": "same"}) == before


def test_target_type_replaces_the_whole_target(api, name):
    api.add(name, URL, target={"method": "PUT", "headers": {"x-one": "1"}})
    kept = api.change(name, {"target": {"headers": {"x-two": "2"}}})["target"]
    assert kept["method"] == "PUT" and kept["headers"] == {"x-one": "1", "x-two": "2"}
    whole = api.change(name, {"target": {"type": "http", "url": URL}})["target"]
    assert whole["method"] == "POST" and whole.get("headers", {}) == {}


def test_a_secret_header_is_shown_as_stars_and_stars_keep_it(api, name):
    job = api.add(name, URL, target={"secret_headers": {"Authorization": "Bearer hush"}})
    assert job["target"]["secret_headers"] == {"Authorization": "***"}
    after = api.change(name, {"target": {"secret_headers": {"Authorization": "***"}}})
    assert after["revision"] == job["revision"]
    api.refused(422, "PATCH", f"/v2/jobs/{segment(name)}",
                {"target": {"secret_headers": {"X-Other": "***"}}})


def test_stars_where_nothing_is_stored_are_refused_at_creation(api, name):
    api.refused(422, "POST", "/v2/jobs", body(name, target={"secret_headers": {"x-key": "***"}}))


def test_if_match_guards_a_change(api, name):
    job = api.add(name, URL)
    path = f"/v2/jobs/{segment(name)}"
    etag = api.expect(200, "GET", path).headers["etag"]
    assert str(job["revision"]) in etag
    api.expect(200, "PATCH", path, {"description": "a"}, {"If-Match": etag})
    api.refused(412, "PATCH", path, {"description": "b"}, {"If-Match": etag})
    api.refused(412, "DELETE", path, headers={"If-Match": etag})
    assert api.job(name)["description"] == "a"


def test_renaming_keeps_the_id(api, name):
    job = api.add(name, URL)
    after = api.change(name, {"name": name + " renamed"})
    assert after["id"] == job["id"]
    api.refused(404, "GET", f"/v2/jobs/{segment(name)}")


def test_pause_and_resume(api, name):
    api.add(name, URL, "@hourly")
    path = f"/v2/jobs/{segment(name)}"
    paused = api.expect(200, "POST", path + "/pause").json
    assert paused["paused"] is True
    again = api.expect(200, "POST", path + "/pause").json
    assert again["revision"] == paused["revision"]
    resumed = api.expect(200, "POST", path + "/resume").json
    assert resumed["paused"] is False and resumed["next_at"]


# ---- creates with an Idempotency-Key -------------------------------------------------------------

def test_a_repeated_create_gets_the_stored_answer(api, name):
    headers = {"Idempotency-Key": "create-1-" + name}
    first = api.expect(201, "POST", "/v2/jobs", body(name), headers)
    api.change(name, {"description": "changed since"})
    second = api.expect(201, "POST", "/v2/jobs", body(name), headers)
    assert second.json == first.json


def test_the_same_key_with_another_body_is_refused(api, name):
    headers = {"Idempotency-Key": "create-2-" + name}
    api.expect(201, "POST", "/v2/jobs", body(name), headers)
    api.refused((409, 422), "POST", "/v2/jobs", body(name + " other"), headers)
    api.refused(404, "GET", f"/v2/jobs/{segment(name + ' other')}")


# ---- lists ---------------------------------------------------------------------------------------

def test_lists_filter_and_page_without_gap_or_repeat(api):
    for number in range(7):
        api.add(f"page {number}", URL, labels={"set": "pages", "odd": str(number % 2)})
    names = [job["name"] for job in api.pages("/v2/jobs", limit=3, label="set=pages")]
    assert names == [f"page {number}" for number in range(6, -1, -1)]
    odd = [job["name"] for job in api.pages("/v2/jobs", limit=2, label="odd=1", name_prefix="page")]
    assert odd == ["page 5", "page 3", "page 1"]


@pytest.mark.parametrize("query", [
    "limit=0", "limit=1001", "limit=x", "cursor=nonsense", "lable=a=b"])
def test_a_wrong_query_is_refused(api, query):
    api.refused((400, 422), "GET", "/v2/jobs?" + query)


# ---- bulk ----------------------------------------------------------------------------------------

def test_bulk_answers_in_order(api):
    items = [body(f"bulk order {number}") for number in (3, 1, 2)]
    jobs = api.expect((200, 201), "POST", "/v2/jobs/bulk", {"items": items}).json["items"]
    assert [job["name"] for job in jobs] == [item["name"] for item in items]


def test_bulk_is_all_or_nothing_with_pointers(api):
    items = [body("bulk good"), body("bulk bad", "99 * * * *"), body("bulk worse", zone="Nowhere")]
    problem = api.refused(422, "POST", "/v2/jobs/bulk", {"items": items})
    pointers = [error["pointer"] for error in problem["errors"]]
    assert "/items/1/schedule" in pointers and "/items/2/zone" in pointers
    api.refused(404, "GET", "/v2/jobs/bulk%20good")


def test_bulk_fails_on_existing_by_default_and_replaces_when_told(api):
    old = api.add("bulk old", URL, description="old")
    items = [body("bulk old", description="new"), body("bulk fresh")]
    api.refused(409, "POST", "/v2/jobs/bulk", {"items": items})
    api.refused(404, "GET", "/v2/jobs/bulk%20fresh")
    jobs = api.expect((200, 201), "POST", "/v2/jobs/bulk?existing=replace", {"items": items}).json
    assert jobs["items"][0]["id"] == old["id"]
    assert jobs["items"][0]["revision"] == old["revision"] + 1
    assert jobs["items"][0]["description"] == "new"


def test_bulk_replace_without_a_difference_makes_no_revision(api):
    items = [body("bulk same")]
    first = api.expect((200, 201), "POST", "/v2/jobs/bulk", {"items": items}).json["items"][0]
    again = api.expect((200, 201), "POST", "/v2/jobs/bulk?existing=replace", {"items": items}).json
    assert again["items"][0] == first


def test_bulk_takes_a_thousand_and_not_one_more(api):
    items = [body(f"bulk many {number}") for number in range(1001)]
    api.refused((413, 422), "POST", "/v2/jobs/bulk", {"items": items})
    jobs = api.expect((200, 201), "POST", "/v2/jobs/bulk", {"items": items[:1000]}).json["items"]
    assert len({job["id"] for job in jobs}) == 1000


def test_two_items_of_one_name_are_refused(api):
    items = [body("bulk twin"), body("bulk twin")]
    api.refused((409, 422), "POST", "/v2/jobs/bulk", {"items": items})


# ---- schedules -----------------------------------------------------------------------------------

def preview(api, **request):
    return api.expect(200, "POST", "/v2/schedules/preview", request).json


def times_of(answer):
    """The instants of a preview, whatever else stands beside each."""
    items = answer.get("items", answer.get("occurrences"))
    return [item if isinstance(item, str) else item.get("at", item.get("utc")) for item in items]


def test_a_preview_shows_instants_across_a_dst_change(api):
    answer = preview(api, schedule="30 2 * * *", zone="Europe/Berlin", count=3,
                     **{"from": "2026-03-27T12:00:00Z"})
    assert times_of(answer) == [
        "2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]


def test_h_of_a_name_is_that_of_the_job(api):
    job = api.add("hashed job", URL, "H H * * *")
    answer = preview(api, schedule="H H * * *", name="hashed job", count=1)
    assert times_of(answer)[0] == job["next_at"]


def test_a_refused_expression_names_column_and_what_is_allowed(api):
    problem = api.refused(422, "POST", "/v2/schedules/preview", {"schedule": "0 25 * * *"})
    assert "25" in str(problem) and "23" in str(problem)


def test_an_instant_with_an_offset_comes_back_in_utc(api, name):
    job = api.add(name, URL, "@at 2066-12-01T10:00:00.250+01:00")
    assert job["next_at"] == "2066-12-01T09:00:00.25Z" or \
        job["next_at"].startswith("2066-12-01T09:00:00.250")


def test_every_fires_on_the_grid_of_its_anchor(api, name):
    job = api.add(name, URL, "@every 1h", anchor="2020-01-01T00:10:00Z")
    assert re.search(r"T\d\d:10:00(\.0+)?Z$", job["next_at"]), job["next_at"]


# ---- the edges of HTTP ---------------------------------------------------------------------------

def test_without_a_good_token_nothing_is_answered(api, server):
    for token in ("", "crn_wrong", "x" * 500):
        client = Client(server, token, api.document)
        problem = client.refused(401, "GET", "/v2/jobs")
        assert problem["code"]
        client.close()


def test_unknown_paths_and_methods(api):
    assert api.send("GET", "/v2/nothing").status == 404
    assert api.send("PUT", "/v2/jobs", {}).status in (404, 405)


def test_a_problem_has_the_shape_of_rfc_9457(api):
    answer = api.send("GET", "/v2/jobs/nobody")
    assert answer.status == 404
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json["status"] == 404 and answer.json["title"] and answer.json["code"]


def test_a_body_above_the_limit_is_413(server):
    connection = http.client.HTTPConnection(server.address, timeout=10)
    connection.putrequest("POST", "/v2/jobs/bulk")
    connection.putheader("Authorization", f"Bearer {server.token}")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(17 * 1024 * 1024))
    connection.endheaders()
    try:
        connection.send(b" " * 65536)
    except OSError:
        pass  # it may close as soon as it has read the head
    assert connection.getresponse().status == 413
    connection.close()


def test_the_document_is_openapi_3_1_and_lists_the_surface(api):
    document = api.document.document
    assert document["openapi"].startswith("3.1")
    for path in ("/v2/jobs", "/v2/jobs/bulk", "/v2/runs", "/v2/runs/changes", "/v2/account",
                 "/v2/schedules/preview", "/v2/tokens", "/v2/backup", "/livez", "/readyz"):
        assert api.document.template_of(path), path


def test_a_deep_cursor_holds_its_filters(api):
    for number in range(3):
        api.add(f"cursor {number}", URL)
    query = urllib.parse.urlencode({"limit": 2, "name_prefix": "cursor "})
    page = api.expect(200, "GET", "/v2/jobs?" + query).json
    assert len(page["items"]) == 2 and page["next_cursor"]
