"""Multipart forms: wrong ones, unknown fields, too many parts."""

from __future__ import annotations

import pytest

from .conftest import jpeg, problem_of


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=", b"x"),
        ("multipart/form-data; boundary=" + "x" * 500, b"x"),
        ("multipart/form-data; boundary=b", b""),
        ("multipart/form-data; boundary=b", b"nothing like a form"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nno name\r\n--b--\r\n"),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\ncut'),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="other"\r\n\r\nx\r\n--b--\r\n',
        ),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\n1\r\n' * 2 + b"--b--\r\n",
        ),
        ("multipart/form-data; boundary=b", b"--b\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n\r\n--b--\r\n"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 100 + b"--b--\r\n",
        ),
        ("multipart/mixed; boundary=b", b"--b--"),
        ("application/json", b'{"image": "http://example.org/x.jpg"}'),
        ("text/plain", b"image=x"),
    ],
)
def test_a_wrong_form_is_refused(served, kind, body):
    answer = served.client.post("/rotate", content=body, headers={"content-type": kind})
    assert answer.status_code in (400, 413, 415), answer.text
    problem_of(answer)


def test_a_name_in_place_of_a_file_is_told_from_a_picture(served):
    problem = problem_of(served.client.post("/rotate", files={"image": (None, b"photo.jpg")}))
    assert (problem["status"], problem["remedy"]) == (400, "send the file itself: curl -F image=@FILE")
    assert served.client.post("/rotate", files={"image": (None, jpeg(64, 64))}).status_code == 200


def test_too_many_pictures_are_refused(strict):
    files = [("files", (f"{n}.jpg", jpeg(64, 64))) for n in range(4)]
    assert problem_of(strict.client.post("/v1/orientation", files=files))["status"] == 413


@pytest.mark.parametrize(
    ("path", "known"), [("/rotate", "image"), ("/v1/orientation", "files"), ("/v1/correct", "files")]
)
def test_an_unknown_field_is_refused_with_the_known_one(served, path, known):
    picture = jpeg(64, 64)
    for files in ({"picture": ("a.jpg", picture)}, {known: ("a.jpg", picture), "promise": (None, b"best")}):
        problem = problem_of(served.client.post(path, files=files))
        assert problem["status"] == 400
        assert "is not known" in problem["detail"]
        assert repr(known) in problem["remedy"] and "query" in problem["remedy"]


def test_a_field_that_is_no_file_is_refused(served):
    assert problem_of(served.client.post("/v1/orientation", files={"files": (None, b"text")}))["status"] == 400


def test_a_content_type_has_no_case(serve, tmp_path):
    service = serve("--jobs", str(tmp_path / "jobs.sqlite"))
    body = b'--XbX\r\nContent-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\nx\r\n--XbX--\r\n'
    headers = {"content-type": "Multipart/Form-Data; boundary=XbX"}
    assert service.client.post("/v1/jobs", content=body, headers=headers).status_code == 202
    assert service.client.post("/v1/orientation", content=body, headers=headers).status_code == 200
