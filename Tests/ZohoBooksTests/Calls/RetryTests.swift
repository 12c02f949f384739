import Foundation
import Testing

@testable import ZohoBooks

@Suite struct RetryTests {
    @Test(arguments: [
        Reply.refusal(500, 1_000), .refusal(503, 0), .refusal(200, 1_000), .html(502), .html(500), .json(""),
        .json(#"{"code":0,"items":[{"item"#), .json(#"{"code":0}"#), .json(#"{"code":0,"items":{}}"#), .html(200),
        Reply(body: .cutOff(#"{"code":0,"items":["#, promised: 4_000)),
    ])
    func whatMayPassIsRetriedWithGrowingPauses(fault: Reply) async throws {
        try await Script(calls: { $1 < 4 ? fault : .items }).run { world in
            _ = try await world.items()
            #expect(world.zoho.calls.count == 4)
            // Between one and two times the base, doubled each time; the chance is 0.5 here.
            #expect(world.time.sleeps == [.milliseconds(750), .milliseconds(1_500), .seconds(3)])
        }
    }

    @Test(arguments: [
        (Reply.refusal(500, 1_000), ZohoBooksError.Kind.server), (.refusal(200, 1_000), .server),
        (.html(502), .invalidAnswer), (.json(""), .invalidAnswer), (.json(#"{"code":0}"#), .invalidAnswer),
        (Reply(body: .cutOff("{", promised: 9)), .network),
    ])
    func whatDoesNotPassIsGivenUpAfterFiveAttempts(fault: Reply, kind: ZohoBooksError.Kind) async throws {
        try await Script(calls: { _, _ in fault }).run { world in
            let error = try await failure { _ = try await world.items() }
            #expect(error.kind == kind)
            #expect(!error.advice.isEmpty)
            #expect(world.zoho.calls.count == 5)
        }
    }

    @Test(arguments: [
        (Reply.refusal(400, 2, "Invalid value passed for filter_by"), ZohoBooksError.Kind.badRequest),
        (.refusal(400, 6_041, "This user is not associated with the CompanyID"), .organisation),
        (.refusal(400, 110_001, "This module is not enabled for your organization."), .moduleUnavailable),
        (.refusal(400, 77, "Sales orders are not enabled here."), .moduleUnavailable),
        (.refusal(404, 5, "Invalid URL Passed. We couldnt find any resource"), .moduleUnavailable),
        (.refusal(404, 5, "We couldnt find any resource for the given ID."), .notFound),
        (.refusal(404, 1_002, "Item does not exist."), .notFound), (.refusal(200, 1_002, "No item."), .notFound),
        (.refusal(405, 37, "The HTTP method is not allowed"), .badRequest),
        (.refusal(200, 9_999, "Something new"), .badRequest), (.html(404), .invalidAnswer),
        (.html(403), .invalidAnswer), (.html(302), .invalidAnswer), (.json("", status: 400), .invalidAnswer),
    ])
    func whatCannotPassIsNotRetried(refusal: Reply, kind: ZohoBooksError.Kind) async throws {
        try await Script(calls: { _, _ in refusal }).run { world in
            let error = try await failure { _ = try await world.items() }
            #expect(error.kind == kind)
            #expect(world.zoho.calls.count == 1)
            #expect(world.time.sleeps.isEmpty)
            #expect(error.status == refusal.status)
        }
    }

    @Test func aServersHintBeatsAShorterPause() async throws {
        try await Script(calls: {
            $1 == 1 ? .html(503, headers: ["Retry-After": "7"]) : .items
        }).run { world in
            _ = try await world.items()
            #expect(world.time.sleeps == [.seconds(7)])
        }
    }

    @Test func aServersHintMayBeADate() async throws {
        // Seven seconds after the time at which the tests begin, which is 06:13:20.
        let date = "Wed, 25 Feb 2026 06:13:27 GMT"
        try await Script(calls: { $1 == 1 ? .html(503, headers: ["Retry-After": date]) : .items }).run { world in
            _ = try await world.items()
            #expect(world.time.sleeps == [.seconds(7)])
        }
    }

    @Test func aHintOfHoursIsNotWaitedOut() async throws {
        try await Script(calls: { _, _ in .html(503, headers: ["Retry-After": "3600"]) }).run { world in
            let until = world.time.now.addingTimeInterval(3_600)
            let error = try await failure { _ = try await world.items() }
            #expect(error.kind == .unavailable(until: until))
            #expect(error.description.contains("2026-02-25T07:13:20Z"))
            #expect(error.concernsEveryCall && !error.isConfiguration)
            #expect(world.time.sleeps.isEmpty)
        }
    }

    @Test func retryAfterIsReadInBothItsForms() {
        let now = Date(timeIntervalSince1970: 1_772_000_000)
        func read(_ header: String) -> Duration? { RetryAfter.duration(header, at: now) }
        #expect(read("0") == .zero)
        #expect(read(" 120 ") == .seconds(120))
        #expect(read("-5") == .zero)
        #expect(read("99999999999") == .seconds(86_400))
        #expect(read("Wed, 25 Feb 2026 06:14:20 GMT") == .seconds(60))
        #expect(read("Wed, 25 Feb 2015 06:14:20 GMT") == .zero)
        #expect(read("Fri, 31 Dec 9999 23:59:59 GMT") == .seconds(86_400))
        for nonsense in ["", "soon", "1.5", "Wed, 25 Feb 2026 06:14:20 CET", "Wed, 99 Feb 2026 06:14:20 GMT"] {
            #expect(read(nonsense) == nil)
        }
    }

    @Test func pausesGrowToTheCeilingAndStayAboveTheBase() {
        let policy = RetryPolicy()
        #expect(policy.backoff(1, random: 0) == .milliseconds(500))
        #expect(policy.backoff(1, random: 0.999) < .seconds(1))
        #expect(policy.backoff(3, random: 0) == .seconds(2))
        for attempt in [6, 7, 100, .max] { #expect(policy.backoff(attempt, random: 0.5) <= .seconds(20)) }
        #expect(policy.backoff(100, random: 0.5) == .seconds(20))
        #expect(policy.backoff(1, random: 0, hint: .seconds(60)) == .seconds(60))
        #expect(policy.backoff(5, random: 0, hint: .seconds(1)) == .seconds(8))
    }

    @Test(.timeLimit(.minutes(30))) func aDrippingBodyEndsAtTheDeadline() async throws {
        try await Script(calls: { _, _ in Reply(body: .dripping) }).run { world in
            _ = try await world.client.tokens.token()
            let hasty = world.another(configure: {
                $0.callTimeout = .milliseconds(60)
                $0.retries.attempts = 2
            })
            let error = try await failure { _ = try await hasty.items() }
            #expect(error.kind == .network)
            #expect(error.description.contains("no complete answer within"))
            #expect(world.time.sleeps.count == 1)
        }
    }

    @Test(.timeLimit(.minutes(30))) func anAnswerThatNeverBeginsEndsAtTheDeadline() async throws {
        let released = Gate()
        try await Script(calls: { _, _ in
            await released.wait()
            return .items
        }).run { world in
            _ = try await world.client.tokens.token()
            let hasty = world.another(configure: {
                $0.callTimeout = .milliseconds(60)
                $0.retries.attempts = 1
            })
            let error = try await failure { _ = try await hasty.items() }
            released.open()
            #expect(error.kind == .network)
        }
    }

    @Test(arguments: ["127.0.0.1", "localhost"])
    func aServerThatIsNotThereIsANetworkErrorInTheSystemsWords(host: String) async throws {
        try await Script(configure: { $0.apiURL = URL(string: "http://\(host):1") }).run { world in
            let error = try await failure { _ = try await world.items() }
            #expect(error.kind == .network)
            #expect(error.message == "Zoho Books cannot be reached (Connection refused).")
            #expect(world.time.sleeps.count == 4)
        }
    }

    @Test(.timeLimit(.minutes(30))) func aCancelledCallEndsAtOnce() async throws {
        let (arrived, released) = (Gate(), Gate())
        try await Script(calls: { _, _ in
            arrived.open()
            await released.wait()
            return .items
        }).run { world in
            let call = Task { try await world.items() }
            await arrived.wait()
            call.cancel()
            let error = try await failure { _ = try await call.value }
            released.open()
            #expect(error.kind == .cancelled)
        }
    }

    @Test(arguments: [
        (CallFailure.unreadable(status: 429, ""), RetryDecision.throttled),
        (.unreadable(status: 401, ""), .refreshToken), (.unreadable(status: 407, ""), .giveUp),
        (.refused(status: 429, code: 0, message: ""), .throttled),
        (.refused(status: 200, code: 44, message: ""), .throttled),
        (.refused(status: 400, code: 1_070, message: ""), .throttled),
        (.refused(status: 400, code: 57, message: ""), .refreshToken),
        (.refused(status: 401, code: 0, message: ""), .refreshToken),
        (.refused(status: 500, code: 57, message: ""), .retry("HTTP 500 code 57")),
        (.refused(status: 400, code: 1_000, message: ""), .retry("HTTP 400 code 1000")),
        (.refused(status: 400, code: 4, message: ""), .giveUp),
    ])
    func theStatusDecidesBeforeTheCode(failure: CallFailure, decision: RetryDecision) {
        #expect(RetryDecision(failure) == decision)
    }
}
