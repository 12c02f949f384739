# Two commands are enough: `make demo` and `make test`.

.PHONY: demo test build release lint format bench clean dependencies

PORT ?= 0

demo: release
	.build/release/zohosync demo

# Hundreds of tests at once would starve each other on a small machine.
test: dependencies
	SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=16 swift test --disable-xctest

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
