// Package journey turns the events of one customer into paths: for each conversion the touches that share its credit, in
// order, with their sessions. Scoring divides the credit; this package only says among whom.
//
// In come the customer's touches and activities, in any order and with repeats, and the conversions, each already
// resolved from its statements and refunds. Out come the paths, the same for every order of the input. The package does
// not decide who the customer is, keeps nothing from one call to the next, and reads no clock.
//
// # The rules
//
// A customer's events stand in the order of (At, EventID). Of two touches with one event id the one with the smaller (At,
// Content) is kept.
//
// Sessions run over touches, activities and conversions, whatever becomes of the conversion. Two neighbours no more than
// Rules.SessionTimeout apart share a session; exactly the timeout is together. Under UA and Matomo a session also ends
// when the local date changes, and when a campaign comes that is not the one that brought it:
//
//   - UA compares source, medium, campaign, campaign id, ad, creative and keyword; any difference is another session, and so
//     is the first source of a session that began without one.
//   - Matomo compares the campaign's name (or its id) and keyword, whatever their case. Only campaigns split; a session
//     that began without a source takes the first that comes.
//
// A direct touch without a campaign, an activity and a conversion never split a session and do not change what brought
// it. A conversion's own touch counts as that touch.
//
// A touch is eligible for a conversion if it is no activity and conversion time − lookback ≤ touch time ≤ conversion
// time. The lookback is the touch kind's if it has one, else the conversion's, else the default.
//
// With UnitSession a session keeps one touch: its first eligible one that is not direct, else its first eligible one.
//
// With First only the customer's earliest conversion of the name, by (At, ID), counts; the others have the verdict
// NotFirstOccurrence and an empty path. A refund does not pass the place on: what was taken back still was the first. With
// a Memory, one that follows the last of its name after a longer time counts again.
//
// With Reset a conversion sees the touches up to its place in the order, its own touch included, and every conversion
// behind that place sees only touches behind it. A conversion that is not the first of its name, where only the first
// counts, resets nothing; a refunded one does, since the customer did end that journey.
//
// A conversion whose positive value is wholly refunded has the verdict Refunded and an empty path.
//
// # Consent
//
// Permitted takes away the touches and activities of times at which the customer had withdrawn consent, before Paths.
//
// # Example
//
// Lookback 30 days, 1 day for impressions, sessions of Google Analytics 4:
//
//	2026-03-01 09:00  impression  display            too old for an impression
//	2026-03-01 10:00  click       search     spring  session 1
//	2026-03-01 10:20  activity                       keeps the session alive
//	2026-03-01 10:50  visit       direct             session 1: no gap above 30 minutes
//	2026-03-05 18:00  call        phone              session 2
//	2026-03-05 18:00  purchase    order-1001, 99.90 USD, told by the call itself
//
// The path of order-1001 is search, direct, phone, in sessions 1, 1 and 2, first touch 2026-03-01 10:00. With UnitSession
// it is search, phone. If purchases have Reset, the next order starts with the touches after the call.
//
// # Doing less
//
// Who keeps journeys in a store need not load and score all of one when an event comes: Window says which events a path
// depends on, Affected and AffectedBy which paths an event can change.
package journey
