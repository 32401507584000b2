# SPDX-License-Identifier: Apache-2.0
"""The page, in Debian's Chromium. ICSEG_SCREENSHOTS names a folder that receives pictures of it."""
import os
import shutil
from pathlib import Path
from typing import Iterator, List

import pytest
import requests

from conftest import Server

selenium = pytest.importorskip("selenium", reason="the package selenium is not installed")
if not shutil.which("chromium") or not shutil.which("chromedriver"):
    pytest.skip("chromium and chromium-driver are not installed", allow_module_level=True)

from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402


def open_browser(width: int, dark: bool = False) -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"):
        options.add_argument(argument)
    if dark:
        options.add_argument("--force-dark-mode")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500})
    if dark:
        features = [{"name": "prefers-color-scheme", "value": "dark"}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    return browser


WINDOWS = {"desktop": (1200, False), "phone": (390, False), "dark": (1200, True)}


@pytest.fixture
def browser(request: pytest.FixtureRequest, server: Server) -> Iterator[webdriver.Chrome]:
    """A test without a parameter gets the window of a desktop."""
    browser = open_browser(*WINDOWS[getattr(request, "param", "desktop")])
    browser.get(server.url)
    wait(browser, lambda b: b.find_elements(By.CSS_SELECTOR, "#model option"))
    yield browser
    complaints = [m for m in browser.get_log("browser") if m["level"] == "SEVERE" and "400" not in m["message"]]
    browser.quit()
    assert not complaints, complaints


def wait(browser: webdriver.Chrome, condition: object) -> object:
    return WebDriverWait(browser, 20).until(condition)


def picture(browser: webdriver.Chrome, name: str) -> None:
    folder = os.environ.get("ICSEG_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        browser.save_screenshot(str(Path(folder) / f"{name}.png"))


def choose(browser: webdriver.Chrome, path: Path, views: int = 1) -> None:
    browser.find_element(By.ID, "file").send_keys(str(path))
    wait(browser, lambda b: len(b.find_elements(By.CSS_SELECTOR, ".view")) == views and "pixels" in b.find_element(By.ID, "status").text)


def names(browser: webdriver.Chrome) -> List[str]:
    return [b.text for b in browser.find_elements(By.CSS_SELECTOR, ".view tbody button")]


@pytest.mark.parametrize("browser", WINDOWS, indirect=True)
def test_an_image(browser: webdriver.Chrome, server: Server, photos: List[Path], request: pytest.FixtureRequest) -> None:
    choose(browser, photos[0])
    picture(browser, request.node.callspec.id)
    answer = requests.post(f"{server.url}/v1/segment", data=photos[0].read_bytes()).json()
    assert names(browser) == [c["name"] for c in answer["classes"]]
    assert "96 × 64" in browser.find_element(By.ID, "status").text
    # Nothing is wider than the screen.
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")

    under = browser.find_element(By.CSS_SELECTOR, ".under")
    stack = browser.find_element(By.CSS_SELECTOR, ".stack")
    ActionChains(browser).move_to_element(stack).perform()
    assert any(under.text.startswith(name) for name in names(browser)) and "%" in under.text
    before = under.text
    stack.send_keys(Keys.ARROW_LEFT, Keys.ARROW_UP)
    assert under.text != before and browser.find_element(By.CSS_SELECTOR, ".mark").is_displayed()

    pixels = "return [...document.querySelector('.colours').getContext('2d').getImageData(0, 0, 96, 64).data].reduce((a, b) => a + b)"
    everything = browser.execute_script(pixels)
    button = browser.find_element(By.CSS_SELECTOR, ".view tbody button")
    button.send_keys(Keys.ENTER)
    assert button.get_attribute("aria-pressed") == "true"
    if len(names(browser)) > 1:
        assert browser.execute_script(pixels) != everything
    button.send_keys(Keys.ENTER)
    assert browser.execute_script(pixels) == everything

    slider = browser.find_element(By.ID, "opacity")
    slider.send_keys(Keys.HOME)
    assert browser.execute_script("return document.querySelector('.colours').style.opacity") == "0"


def test_two_models(browser: webdriver.Chrome, photos: List[Path]) -> None:
    choose(browser, photos[1])
    browser.find_element(By.CSS_SELECTOR, "#other option[value=again]").click()
    wait(browser, lambda b: len(b.find_elements(By.CSS_SELECTOR, ".view")) == 2)
    assert [h.text for h in browser.find_elements(By.CSS_SELECTOR, ".view h2")] == ["scenes", "again"]


def test_an_error_is_shown(browser: webdriver.Chrome, photos: List[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(photos[0].read_bytes()[:300])
    browser.find_element(By.ID, "file").send_keys(str(broken))
    problem = browser.find_element(By.ID, "problem")
    wait(browser, lambda b: problem.is_displayed())
    assert "image 0" in problem.text and problem.get_attribute("role") == "alert"
    choose(browser, photos[0])
    assert not problem.is_displayed()


def test_the_camera(browser: webdriver.Chrome) -> None:
    browser.find_element(By.ID, "camera").click()
    wait(browser, lambda b: b.find_element(By.ID, "shoot").is_displayed())
    wait(browser, lambda b: b.execute_script("return document.getElementById('video').videoWidth > 0"))
    browser.find_element(By.ID, "shoot").click()
    wait(browser, lambda b: b.find_elements(By.CSS_SELECTOR, ".view tbody button"))
    assert not browser.find_element(By.ID, "live").is_displayed()


def test_nothing_comes_from_elsewhere(browser: webdriver.Chrome, server: Server) -> None:
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert loaded and all(name.startswith(server.url) for name in loaded)
    policy = requests.get(server.url).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy


@pytest.mark.parametrize("browser", ["phone"], indirect=True)
def test_every_control_has_a_name(browser: webdriver.Chrome, photos: List[Path]) -> None:
    choose(browser, photos[0])
    for element in browser.find_elements(By.CSS_SELECTOR, "button, select, input:not([type=file]), [tabindex]"):
        if element.is_displayed():
            assert element.accessible_name, element.get_attribute("outerHTML")
