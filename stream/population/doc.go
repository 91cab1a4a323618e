// Package population invents people and what they do: a stream of events as real senders would deliver it, together with
// the truth that a real stream never tells, namely which person each event belongs to and what led to each conversion.
//
// In goes a Config with a seed; out come records in the order of their arrival, and on request one Person after the
// other. The same Config gives the same bytes on every machine. One person:
//
//	01 Mar 10:00  sees a banner, clicks a search ad       cookie c-5f1…
//	04 Mar 19:12  comes back directly on a phone          cookie c-a09…
//	04 Mar 19:15  signs in there                          cookie c-a09…, user u-2911…, ann.lee7@example.com
//	06 Mar 08:30  opens a newsletter, clicks it           Ann.Lee7@Example.com, then cookie c-5f1…
//	06 Mar 08:41  buys for 61.20 USD                      cookie c-5f1…, e-mail, (415) 555-0123
//	06 Mar 08:44  the CRM writes the order down           customer crm-4403…, e-mail, phone
//	12 Mar 16:00  gets 20.00 USD back                     customer crm-4403…
//
// Nobody knows before 04 Mar that the two cookies are one person, and some never learn it. Families share a phone number,
// a call centre puts its own number on its customers' orders, some records arrive twice, hours late or out of order.
//
// It is not a model of a market: the numbers are plausible, no more. Memory grows with the number of people whose
// journeys are under way at the same time, not with the length of the stream.
package population
