// Package channels finds the marketing channel of a touch whose sender did not name one.
//
// In goes what the sender said about the touch (source, medium, campaign, referrer, click id, kind) and an ordered list
// of rules; out comes the channel of the first rule whose conditions all hold, else "direct":
//
//   - {channel: brand, when: {medium: cpc, campaign: ["brand*", "/ markennamen? /"]}}
//
//   - {channel: paid_search, when: {click_id: [gclid, msclkid]}}
//
//   - {channel: organic_search, when: {referrer_host: [bing.com, "www.google.*"]}}
//
//     click_id gclid:EAIaIQ…                            → paid_search
//     medium cpc, campaign Brand-DE                     → brand
//     referrer https://www.google.de/                   → organic_search
//     referrer https://blog.example.com/ten-best-shoes  → direct, since no rule is left
//
// Standard is the list that ships with Tributary, in standard.yaml. The package keeps no state and never changes a touch.
// It does not look at more than one touch: that a direct visit inherits the channel of an earlier one is a model's
// business (last_non_direct), not a channel's.
package channels
