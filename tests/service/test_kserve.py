"""The Open Inference Protocol v2, by the codec alone and by the real tritonclient."""

from __future__ import annotations

import contextlib
import gzip
import json
import struct
import time
import tracemalloc
from base64 import b64encode
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from hypothesis import given, settings
from hypothesis import strategies as st
from tritonclient.utils import InferenceServerException

from upright.model import load_model
from upright.pictures import open_picture
from upright.service.kserve import decode, encode
from upright.service.problems import BodyTooLarge, Refused
from upright.steps import View, render

from .conftest import DEMO, jpeg, problem_of


@pytest.fixture(scope="module")
def client(served):
    with triton.InferenceServerClient(served.url.removeprefix("http://"), concurrency=2) as client:
        yield client


def rendered(names):
    pixels = []
    for name in names:
        with open_picture((DEMO / name).read_bytes()) as picture:
            pixels.append(render(picture, View(), 224))
    return np.stack(pixels)


def test_health_and_metadata(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("upright-1")
    assert client.is_model_ready("upright-1", load_model().version)
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    facts = client.get_model_metadata("upright-1")
    assert facts["inputs"] == [{"name": "views", "datatype": "UINT8", "shape": [-1, 224, 224, 3]}]
    assert not client.is_model_ready("nobody")
    with pytest.raises(InferenceServerException, match="no model 'nobody'"):
        client.get_model_metadata("nobody")


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_views_give_the_detectors_logits(client, detector, binary_in, binary_out):
    pixels = rendered(["coffee.jpg", "astronaut.jpg"])[:, :, :, :]
    tensor = triton.InferInput("views", list(pixels.shape), "UINT8")
    tensor.set_data_from_numpy(pixels, binary_data=binary_in)
    wanted = [triton.InferRequestedOutput("logits", binary_data=binary_out)]
    answer = client.infer("upright-1", [tensor], outputs=wanted, request_id="42")
    assert answer.get_response()["id"] == "42"
    np.testing.assert_allclose(answer.as_numpy("logits"), detector.infer(pixels), rtol=1e-4, atol=1e-4)


def test_pictures_give_the_whole_decision(client, detector):
    data = [(DEMO / name).read_bytes() for name in ("coffee.jpg", "camera.jpg")]
    tensor = triton.InferInput("pictures", [2], "BYTES")
    tensor.set_data_from_numpy(np.array(data, object))
    answer = client.infer("upright-1-pictures", [tensor])
    expected = [detector.detect(each) for each in data]
    assert answer.as_numpy("best").tolist() == [int(e.best) for e in expected]
    assert answer.as_numpy("turn").tolist() == [-1 if e.turn is None else int(e.turn) for e in expected]
    np.testing.assert_allclose(answer.as_numpy("scores"), [e.scores.values for e in expected], atol=1e-4)


@pytest.mark.parametrize("packed", ["gzip", "deflate"])
def test_requests_and_answers_may_be_packed(client, detector, packed):
    pixels = rendered(["coffee.jpg"])
    tensor = triton.InferInput("views", list(pixels.shape), "UINT8")
    tensor.set_data_from_numpy(pixels)
    ways = {"request_compression_algorithm": packed, "response_compression_algorithm": packed}
    answer = client.infer("upright-1", [tensor], **ways)
    np.testing.assert_allclose(answer.as_numpy("logits"), detector.infer(pixels), rtol=1e-4, atol=1e-4)


def test_what_a_packed_request_unpacks_to_is_bounded(strict):
    entry = {"name": "pictures", "datatype": "BYTES", "shape": [1], "data": [b64encode(jpeg()).decode()]}
    whole = gzip.compress(json.dumps({"inputs": [entry]}).encode())
    url = "/v2/models/upright-1-pictures/infer"

    def sent(body: bytes, how: str = "gzip") -> httpx.Response:
        return strict.client.post(url, content=body, headers={"content-encoding": how, "accept-encoding": "gzip"})

    answer = sent(whole)
    assert answer.headers["content-encoding"] == "gzip" and answer.json()["outputs"][1]["name"] == "best"
    bomb = gzip.compress(bytes(900 << 20), 1)[: 1 << 20]
    before_mb = strict.peak_mb()
    for body, how, status, detail in (
        (bomb, "gzip", 413, "the body is over 1 MiB"),
        (whole[:-9], "gzip", 400, "the packed body ends too early"),
        (b"", "gzip", 400, "the packed body ends too early"),
        (whole + b"more", "gzip", 400, "something follows the packed body"),
        (b"x" + whole, "gzip", 400, "the body cannot be unpacked"),
        (whole, "br", 415, "the body is packed as 'br'"),
    ):
        problem = problem_of(sent(body, how))
        assert (problem["status"], problem["detail"]) == (status, detail)
    assert strict.peak_mb() < before_mb + 100


def test_the_parameters_of_a_request_are_those_of_a_query(client, served):
    picture = (DEMO / "rocket.jpg").read_bytes()
    tensor = triton.InferInput("pictures", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([picture], object))

    def turn(**parameters: str | int) -> int:
        return int(client.infer("upright-1-pictures", [tensor], parameters=parameters).as_numpy("turn")[0])

    for asked in ({"promise": "best"}, {"promise": "careful"}, {"effort": 0, "promise": "best"}, {"page": 0}):
        expected = served.client.post("/v1/orientation", content=picture, params=asked).json()
        assert turn(**asked) == (-1 if expected["turn"] is None else expected["turn"])
    for asked, message in (
        ({"page": 1}, "no page 1;"),
        ({"promise": "hopeful"}, "choose one of careful, balanced, best"),
        ({"effort": 9}, "parameters.effort"),
        ({"tilt": True}, "'parameters.tilt' is not known; known here: binary_data_output, promise, effort, page"),
    ):
        with pytest.raises(InferenceServerException, match=message):
            turn(**asked)
    with pytest.raises(InferenceServerException, match=r"'outputs.0.parameters.classification' is not known"):
        client.infer("upright-1-pictures", [tensor], outputs=[triton.InferRequestedOutput("scores", class_count=2)])
    views = triton.InferInput("views", [1, 224, 224, 3], "UINT8")
    views.set_data_from_numpy(rendered(["rocket.jpg"]))
    with pytest.raises(InferenceServerException, match="views have no promise"):
        client.infer("upright-1", [views], parameters={"promise": "best"})


def test_configuration_and_index_name_both_models(client):
    config = client.get_model_config("upright-1-pictures")
    assert config["input"] == [{"name": "pictures", "data_type": "TYPE_STRING", "dims": [-1]}]
    assert config["parameters"] == {"promise": {"string_value": "balanced"}, "effort": {"string_value": "3"}}
    assert client.get_model_config("upright-1", load_model().version)["output"][0]["dims"] == [-1, 4]
    names = ["upright-1", "upright-1-pictures"]
    assert [(each["name"], each["state"]) for each in client.get_model_repository_index()] == [
        (name, "READY") for name in names
    ]


def test_statistics_count_the_requests_of_all_worker_processes(serve):
    service = serve("--processes", "2")
    before = service.metric("upright_batch_views_count")
    views = np.zeros((3, 224, 224, 3), np.uint8)
    tensor = triton.InferInput("views", list(views.shape), "UINT8")
    tensor.set_data_from_numpy(views)
    broken = triton.InferInput("pictures", [1], "BYTES")
    broken.set_data_from_numpy(np.array([b"no picture"], object))
    for _ in range(6):  # a connection of its own each time, so that both processes have some
        with triton.InferenceServerClient(service.url.removeprefix("http://")) as client:
            client.infer("upright-1", [tensor])
            with pytest.raises(InferenceServerException):
                client.infer("upright-1-pictures", [broken])
    runs = service.metric("upright_batch_views_count") - before
    with triton.InferenceServerClient(service.url.removeprefix("http://")) as client:
        alone = client.get_inference_statistics("upright-1")["model_stats"]
        both = client.get_inference_statistics()["model_stats"]
    assert alone == both[:1]
    assert [each["name"] for each in both] == ["upright-1", "upright-1-pictures"]
    assert [(each["inference_count"], each["execution_count"]) for each in both] == [(18, runs), (0, 0)]
    done, failed = (each["inference_stats"] for each in both)
    assert (done["success"]["count"], done["fail"]["count"], failed["fail"]["count"]) == (6, 0, 6)
    assert min(done[part]["ns"] for part in ("success", "compute_infer", "compute_output")) > 0
    assert abs(both[0]["last_inference"] / 1000 - time.time()) < 60 and both[1]["last_inference"] == 0


def test_executions_are_runs_of_the_engine_not_requests(serve):
    service = serve()
    before = service.metric("upright_batch_views_count")
    with triton.InferenceServerClient(service.url.removeprefix("http://")) as client:
        views = np.zeros((70, 224, 224, 3), np.uint8)
        tensor = triton.InferInput("views", list(views.shape), "UINT8")
        tensor.set_data_from_numpy(views)
        client.infer("upright-1", [tensor])
        photos = triton.InferInput("pictures", [2], "BYTES")
        photos.set_data_from_numpy(
            np.array([(DEMO / name).read_bytes() for name in ("coffee.jpg", "page.jpg")], object)
        )
        client.infer("upright-1-pictures", [photos])
        runs = service.metric("upright_batch_views_count") - before
        service.client.post("/v1/orientation", content=(DEMO / "coffee.jpg").read_bytes())
        assert service.metric("upright_batch_views_count") > before + runs, (
            "others run the engine, too, and do not count here"
        )
        many, few = client.get_inference_statistics()["model_stats"]
    assert (many["inference_count"], few["inference_count"]) == (70, 2)
    assert many["execution_count"] > 1, "an engine takes no 70 views at once"
    assert few["execution_count"] >= 2 and many["execution_count"] + few["execution_count"] == runs
    assert [each["inference_stats"]["success"]["count"] for each in (many, few)] == [1, 1]


def test_many_at_once_by_the_asynchronous_client(client, detector):
    pixels = rendered(["coffee.jpg"])
    tensor = triton.InferInput("views", list(pixels.shape), "UINT8")
    tensor.set_data_from_numpy(pixels)
    waiting = [client.async_infer("upright-1", [tensor]) for _ in range(8)]
    found = [each.get_result().as_numpy("logits") for each in waiting]
    assert all(np.allclose(each, found[0]) for each in found)


def test_wrong_requests_are_told_by_the_clients_own_error(client):
    tensor = triton.InferInput("views", [1, 8, 8, 3], "UINT8")
    tensor.set_data_from_numpy(np.zeros((1, 8, 8, 3), np.uint8))
    with pytest.raises(InferenceServerException, match=r"send UINT8 \[-1, 224, 224, 3\]"):
        client.infer("upright-1", [tensor])
    broken = triton.InferInput("pictures", [1], "BYTES")
    broken.set_data_from_numpy(np.array([b"no picture"], object))
    with pytest.raises(InferenceServerException) as caught:
        client.infer("upright-1-pictures", [broken])
    assert caught.value.status() == "415"


def head(**more):
    entry = {"name": "a", "datatype": "UINT8", "shape": [2], "data": [1, 2]} | more
    return json.dumps({"inputs": [entry]}).encode()


@pytest.mark.parametrize(
    ("body", "length"),
    [
        (b"", None),
        (b"[]", None),
        (b"{}", None),
        (b'{"inputs": 3}', None),
        (b'{"inputs": [3]}', None),
        (head(), "9999"),
        (head(), "-1"),
        (head(), "x"),
        (head() + b"rest", str(len(head()))),
        (head(shape=[3]), None),
        (head(shape=[0]), None),
        (head(shape=[2.0]), None),
        (head(shape=[True, 2]), None),
        (head(shape=[1 << 40]), None),
        (head(shape="2"), None),
        (head(data=None), None),
        (head(data=[[1], [2, 3]]), None),
        (head(data=["a", "b"]), None),
        (head(data=[-1, 256]), None),
        (head(data=[None, 1]), None),
        (head(datatype="FP64"), None),
        (head(datatype="BYTES"), None),
        (head(datatype="BYTES", data=["YQ==", "*"]), None),
        (head(parameters=3), None),
        (head(parameters={"binary_data_size": 5}), None),
        (head(parameters={"binary_data_size": -1}), None),
        (head(parameters={"binary_data_size": "2"}), None),
        (json.dumps({"inputs": [], "id": 3}).encode(), None),
        (json.dumps({"inputs": [], "outputs": [{}]}).encode(), None),
        (b"[" * 100_000, None),
    ],
)
def test_what_is_not_a_request_is_refused(body, length):
    with pytest.raises(Refused):
        decode(body, length)


def test_an_input_twice_and_an_output_that_is_not_there_are_refused():
    entry = {"name": "a", "datatype": "UINT8", "shape": [1], "data": [1]}
    with pytest.raises(Refused, match="twice"):
        decode(json.dumps({"inputs": [entry, entry]}).encode(), None)
    asked = decode(json.dumps({"inputs": [entry], "outputs": [{"name": "z"}]}).encode(), None)
    with pytest.raises(Refused, match="no output 'z'"):
        encode("m", "1", asked, {})


@given(st.lists(st.integers(-5, 300), min_size=1, max_size=20), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_what_is_encoded_can_be_decoded(numbers, binary, only_one):
    sent = {"turn": np.array(numbers, np.int32), "scores": np.array([numbers] * 2, np.float32)}
    outputs = [{"name": "scores", "parameters": {"binary_data": binary}}] if only_one else []
    request = {"inputs": [], "outputs": outputs, "parameters": {"binary_data_output": binary}, "id": "7"}
    body, headers = encode("m", "1", decode(json.dumps(request).encode(), None), sent)
    length = int(headers.get("Inference-Header-Content-Length", len(body)))
    told = json.loads(body[:length])
    assert (told["id"], told["model_name"], told["model_version"]) == ("7", "m", "1")
    assert {each["name"] for each in told["outputs"]} == ({"scores"} if only_one else set(sent))
    again = json.dumps({"inputs": told["outputs"]}).encode()
    found = decode(again + body[length:], str(len(again))).inputs
    for name, tensor in found.items():
        np.testing.assert_array_equal(tensor.values, sent[name])
        assert tensor.values.dtype == sent[name].dtype


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=5), st.booleans())
@settings(max_examples=60, deadline=None)
def test_strings_survive_the_wire(strings, binary):
    raw = b"".join(struct.pack("<I", len(each)) + each for each in strings)
    entry = {"name": "p", "datatype": "BYTES", "shape": [len(strings)]}
    data = {"data": [b64encode(each).decode() for each in strings]}
    entry |= {"parameters": {"binary_data_size": len(raw)}} if binary else data
    text = json.dumps({"inputs": [entry]}).encode()
    assert decode(text + raw * binary, str(len(text))).inputs["p"].values == strings


@contextlib.contextmanager
def little_memory(most_bytes: int) -> Iterator[None]:
    """What is within allocates no more: nothing was taken apart."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most_bytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ("[]," * 1_000_000 + "[]", "views"),
        ("{}," * 1_000_000 + "{}", "views"),
        ("1," * 5_000_000 + "1", "views"),
        ('"",' * 5_000_000 + '""', "pictures"),
    ],
)
def test_json_of_a_million_things_is_refused_before_it_is_read(values, names):
    body = f'{{"inputs": [{{"name": "{names}", "datatype": "BYTES", "shape": [1], "data": [{values}]}}]}}'.encode()
    with little_memory(len(body) + 1_000_000), pytest.raises(BodyTooLarge, match="send binary tensors"):
        decode(body, None)


def test_binary_strings_beyond_the_shape_are_not_taken_apart():
    raw = bytes(40_000_000)  # ten million empty strings
    entry = {"name": "p", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(raw)}}
    text = json.dumps({"inputs": [entry]}).encode()
    body = text + raw
    with little_memory(1_000_000), pytest.raises(Refused, match="1 whole element"):
        decode(body, str(len(text)))


@given(st.binary(max_size=300), st.one_of(st.none(), st.integers(0, 400).map(str)))
@settings(max_examples=300, deadline=None)
def test_no_bytes_break_the_codec(body, length):
    with contextlib.suppress(Refused):
        decode(body, length)


@pytest.mark.parametrize(
    ("datatype", "text"),
    [
        ("UINT8", "NaN"), ("UINT8", "1.7"), ("UINT8", "1.0"), ("UINT8", "true"), ("UINT8", "-1"), ("UINT8", "256"),
        ("UINT8", "1e400"), ("UINT8", "99999999999999999999"), ("UINT8", '"1"'), ("UINT8", "null"), ("UINT8", "[1]"),
        ("INT32", "2147483648"), ("INT32", "-0.5"), ("BOOL", "1"), ("FP32", "true"),
    ],
)  # fmt: skip
def test_values_that_are_not_of_their_type_are_refused(datatype, text):
    good = {"BOOL": "false", "FP32": "1"}.get(datatype, "255" if datatype == "UINT8" else "-2147483648")
    body = '{"inputs": [{"name": "a", "datatype": "%s", "shape": [2], "data": [%s, %s]}]}'
    assert decode((body % (datatype, good, good)).encode(), None).inputs["a"].values.tolist() == [json.loads(good)] * 2
    with pytest.raises(Refused):
        decode((body % (datatype, good, text)).encode(), None)
