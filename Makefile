# Two commands are enough: `make demo` and `make test`.

.PHONY: demo test build release lint format bench clean dependencies

PORT ?= 0

demo: release
	.build/release/zohosync demo

test: dependencies
	@scripts/test

build: dependencies
	swift build

release: dependencies
	swift build -c release --product zohosync

lint:
	swift format lint --strict --recursive Package.swift Sources Tests Benchmarks

format:
	swift format --in-place --recursive Package.swift Sources Tests Benchmarks

bench: release
	Benchmarks/run
	Benchmarks/webhooks

dependencies:
	@scripts/dependencies

clean:
	rm -rf .build demo
