# Wattline: set-up, checks, tests, demo. `make` or `make help` lists the targets.
# Everything made lands in .venv/ and build/; stamps under build/stamp/ make a second `make setup` take no time.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := build/stamp
SECONDS ?= 600
# A file's tests share what they start, so they stay together.
PARALLEL := --numprocesses auto --maxprocesses 8 --dist loadfile
KILLS ?= 1000
SEEDS ?= 1000
SETUP := deploy/setup
PACKAGE := deploy/package
TYPINGS := build/typings

.PHONY: help setup setup-check demo lint types promises check test-quick test references docs audit fuzz mutants kills powercut soak attack heap alarms bench firmware dist wheelhouse lock clean

help: ## list the targets / 列出所有目标
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: setup-check $(STAMP)/sanitized $(STAMP)/zcbor $(STAMP)/mosquitto $(STAMP)/tools $(STAMP)/postgres $(STAMP)/nats $(STAMP)/chromium $(STAMP)/vm64 $(STAMP)/vm32 ## prepare everything below .venv/ and build/ / 准备全部环境
	@echo '[setup] ready / 环境就绪'

setup-check: $(STAMP)/project $(STAMP)/typings-esp32 $(STAMP)/typings-rp2

$(STAMP)/system: $(SETUP)/system.sh $(SETUP)/apt_install.sh
	@mkdir -p $(STAMP)
	@$(SETUP)/system.sh $(PYTHON)
	@touch $@

$(STAMP)/venv: $(STAMP)/system $(SETUP)/venv.sh $(SETUP)/requirements.lock
	@$(SETUP)/venv.sh $(PYTHON) $(VENV)
	@touch $@

$(STAMP)/project: $(STAMP)/venv $(SETUP)/project.sh pyproject.toml setup.py $(wildcard cext/*.p[xy][idx] cext/*.h)
	@$(SETUP)/project.sh $(VENV)
	@touch $@

$(STAMP)/sanitized: $(STAMP)/project $(SETUP)/sanitized.sh
	@$(SETUP)/sanitized.sh $(VENV) build/sanitized
	@touch $@

$(STAMP)/typings-%: $(STAMP)/venv $(SETUP)/typings.sh $(SETUP)/typings-%.lock
	@$(SETUP)/typings.sh $(VENV) $* $(TYPINGS)/$*
	@touch $@

$(STAMP)/zcbor: $(STAMP)/venv $(SETUP)/zcbor.sh $(SETUP)/zcbor.lock
	@$(SETUP)/zcbor.sh $(BIN)/python build/zcbor
	@touch $@

$(STAMP)/fuzz: $(STAMP)/venv $(SETUP)/fuzz.sh $(SETUP)/fuzz.lock
	@$(SETUP)/fuzz.sh $(BIN)/python build/atheris
	@touch $@

$(STAMP)/docs: $(STAMP)/venv $(SETUP)/docs.sh $(SETUP)/docs.lock
	@$(SETUP)/docs.sh $(BIN)/python build/docs
	@mkdir -p build/docs/tmp
	@touch $@

$(STAMP)/thingsboard: $(STAMP)/venv $(SETUP)/thingsboard.sh $(SETUP)/thingsboard.lock
	@$(SETUP)/thingsboard.sh $(BIN)/python build/thingsboard
	@touch $@

$(STAMP)/nodered: $(SETUP)/nodered.sh $(wildcard $(SETUP)/nodered/*.json)
	@mkdir -p $(STAMP)
	@$(SETUP)/nodered.sh build/nodered
	@touch $@

$(STAMP)/mosquitto: $(SETUP)/mosquitto.sh $(SETUP)/apt_install.sh
	@mkdir -p $(STAMP)
	@$(SETUP)/mosquitto.sh build/mosquitto
	@touch $@

$(STAMP)/tools: $(SETUP)/tools.sh $(SETUP)/common.sh
	@mkdir -p $(STAMP)
	@$(SETUP)/tools.sh build/tools
	@touch $@

$(STAMP)/postgres: $(SETUP)/postgres.sh $(SETUP)/apt_install.sh
	@mkdir -p $(STAMP)
	@$(SETUP)/postgres.sh build/postgres
	@touch $@

$(STAMP)/nats: $(SETUP)/nats.sh
	@mkdir -p $(STAMP)
	@$(SETUP)/nats.sh build/nats
	@touch $@

$(STAMP)/chromium: $(SETUP)/chromium.sh $(SETUP)/apt_install.sh
	@mkdir -p $(STAMP)
	@$(SETUP)/chromium.sh
	@touch $@

$(STAMP)/wheels: $(STAMP)/project $(PACKAGE)/wheels.sh $(PACKAGE)/locked.py $(wildcard deploy/supply/*.py) $(SETUP)/requirements.lock
	@$(PACKAGE)/wheels.sh $(BIN)/python build/wheels console field modbus nats oidc postgres
	@touch $@

$(STAMP)/root: $(STAMP)/venv $(SETUP)/root.sh $(SETUP)/in_root.sh $(SETUP)/python_deb.sh
	@$(SETUP)/root.sh build/root $(BIN)/python
	@touch $@

$(STAMP)/vm64 $(STAMP)/vm32: $(STAMP)/vm%: $(SETUP)/micropython.sh
	@mkdir -p $(STAMP)
	@$(SETUP)/micropython.sh vm$* build/vm$*
	@touch $@

demo: setup-check $(STAMP)/mosquitto $(STAMP)/vm64 ## one factory, two terminals, one day, with faults / 演示：一个工厂的一天
	$(BIN)/wattline hil demo

lint: setup-check
	$(BIN)/ruff check
	$(BIN)/ruff format --check

# The terminal's code is checked against the stubs of both ports: each board file belongs to one of them.
types: setup-check
	$(BIN)/mypy
	$(BIN)/mypy --config-file $(SETUP)/mypy-esp32.ini
	$(BIN)/mypy --config-file $(SETUP)/mypy-rp2.ini

promises: setup-check
	$(BIN)/python tests/promises.py

check: lint types promises audit docs ## lint, types, promises, advisories, the documentation; no tests / 静态检查

test-quick: setup ## all but the long ones, some minutes / 快速测试
	$(BIN)/python -m pytest -m 'not slow and not e2e' --ignore=tests/hil $(PARALLEL)
	$(BIN)/python -m pytest -m 'not slow and not e2e' tests/hil $(PARALLEL)

# Each state of the code draws examples of its own, and the same ones on every machine: what was green here is green in CI.
CODE := cext firmware gateway hil protocol tests
test: DRAWN := $(or $(SEED),$(shell printf %d 0x$$(git ls-tree HEAD $(CODE) | git hash-object --stdin | cut -c1-7)))
test: setup $(STAMP)/wheels $(STAMP)/root ## the whole suite; SEED=n draws other examples than the code's / 全部测试
	tests/run.sh $(BIN)/python $(DRAWN)

references: setup-check ## make docs/reference anew, of the declarations / 重新生成参考手册
	$(BIN)/python -m docs.site.references

# A dead link or anchor fails, and a reference that is not what the declarations say. The words that search finds in Chinese come from a cache in TMPDIR: in a folder of ours, not in everybody's.
docs: setup-check $(STAMP)/docs ## the documentation as a site: build/site/index.html, which needs no server / 生成文档站点
	$(BIN)/python -m docs.site.references --check
	TMPDIR=$(CURDIR)/build/docs/tmp NO_MKDOCS_2_WARNING=1 build/docs/bin/mkdocs build --strict

# What is not checked is said: the list of advisories comes from where there is internet.
audit: setup-check ## pinned packages with known advisories, from a list fetched before: ADVISORIES=all.zip / 漏洞核对
	$(BIN)/python -m deploy.supply.audit $(ADVISORIES)

fuzz: setup-check $(STAMP)/sanitized $(STAMP)/fuzz ## SEEDS=1000 simulated factories; bytes on which the decoders differ: SECONDS=600 SEED=n / 模糊测试
	$(BIN)/wattline hil fuzz --seeds $(SEEDS) --jobs $(shell nproc)
	build/atheris/bin/python -m tests.fuzz.run --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))
	$(BIN)/python -m tests.cext.sanitized -m tests.fuzz.replay build/fuzz/corpus

mutants: setup-check ## break gateway and terminal on purpose, and see which seed catches it / 变异测试
	$(BIN)/wattline hil mutants

kills: setup ## kill the journal's writer and cut its power KILLS=1000 times each, SEED=n / 断电与强杀测试
	$(BIN)/python -m tests.gateway.journal.killing --rounds $(KILLS) $(if $(SEED),--seed $(SEED))
	$(BIN)/python -m tests.gateway.journal.killing --power --rounds $(KILLS) $(if $(SEED),--seed $(SEED))
	$(BIN)/python -m tests.e2e.gateway_kills --rounds 50 $(if $(SEED),--seed $(SEED))
	$(BIN)/python -m tests.e2e.cluster_kills --rounds 36 $(if $(SEED),--seed $(SEED))

powercut: setup-check $(STAMP)/vm64 $(STAMP)/vm32 ## cut the power of the log, and of updates, at every flash operation: CUTS=10000 SEED=n / 断电试验
	$(BIN)/wattline hil powercut --cuts $(or $(CUTS),10000) --seed $(or $(SEED),$(shell date +%j))

soak: setup-check $(STAMP)/mosquitto $(STAMP)/tools $(STAMP)/vm64 ## an hour of real processes with random faults: MINUTES=60 SEED=n; build/soak/soak.md / 长时间运行试验
	$(BIN)/wattline hil soak --minutes $(or $(MINUTES),60) --seed $(or $(SEED),$(shell date +%j))

attack: setup-check $(STAMP)/mosquitto $(STAMP)/tools $(STAMP)/vm64 ## each attacker of docs/threat-model.md against a running system: SEED=n; build/attack/attack.md / 红队试验
	$(BIN)/wattline hil attack --seed $(or $(SEED),1)

heap: setup-check $(STAMP)/mosquitto $(STAMP)/vm32 ## the smallest heap that the whole terminal works in / 最小内存试验
	$(BIN)/wattline hil heap

alarms: setup-check ## how good the watch's alarms are over a year; PROFILE="--profile plant.csv": over a load of yours, too / 报警质量
	$(BIN)/wattline hil alarms --factories 40 --days 365 --draws 200 $(PROFILE)

bench: setup-check $(STAMP)/mosquitto $(STAMP)/postgres $(STAMP)/thingsboard $(STAMP)/nodered ## how fast we are beside others: build/bench/index.html, report.json / 性能测试
	$(BIN)/python -m hil.benchmarks

firmware: setup-check ## the terminal's image for each board: build/firmware/BOARD / 生成固件映像
	$(BIN)/wattline field image

dist: setup-check $(STAMP)/wheels ## wheel, source archive and Debian package below build/dist / 打包
	@$(PACKAGE)/dist.sh $(BIN)/python build/dist build/wheels

wheelhouse: dist ## all that a laptop without a network needs: build/wheelhouse / 离线安装包
	@$(PACKAGE)/wheelhouse.sh $(BIN)/python build/dist build/wheelhouse

lock: $(STAMP)/system ## pin anew after an edit of deploy/setup/*.in / 重新锁定依赖
	$(SETUP)/lock.sh $(PYTHON)

clean: ## remove all that was made / 清除所有生成物
	rm -rf build $(VENV) wattline.egg-info cext/*.so .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find cext firmware gateway hil protocol tests -name __pycache__ -type d -prune -exec rm -rf {} +
