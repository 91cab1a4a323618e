// Package scoring divides the credit for a conversion among the touches that led to it.
//
// In comes a [Path], the eligible touches of one conversion in order of time, and the conversion's net value. Out comes,
// for every touch and every [Model], a [Credit]: a share in millionths and an amount of money in minor units. The shares of
// a model add up to exactly 1.000000 and its amounts to exactly the net value.
//
// A model turns the path into one integer weight for each touch, and [Allocate] splits the million and the money by these
// weights. Only integers are used, also for the powers of time decay, so that the same path has the same credit on every
// processor.
//
// The package decides nothing else: which touches are eligible, which of a session counts and whether the conversion counts
// at all is settled before. It knows no currencies, no customers and no clock, and opens nothing but the time zone of a
// model that counts days.
//
// # Example
//
// Ann clicks an advertisement (paid_search), reads the newsletter a week later (email), and a week after that types in the
// address (direct) and buys for 100.00 USD, which are 10,000 minor units.
//
// Time decay with a half-life of 7 days weighs the touches as 1 : 2 : 4, that is 1/7, 2/7 and 4/7. Of the 10,000 cents,
//
//	                 quota     whole   rest    with the cent that is left
//	paid_search   1428.571…     1428   0.571   14.29   largest rest
//	email         2857.142…     2857   0.142   28.57
//	direct        5714.285…     5714   0.285   57.14
//	                            ----
//	                            9999           100.00
//
// and of the million, in the same way, 142857, 285714 and 571429: the shares 0.142857, 0.285714 and 0.571429.
//
// Position based gives 40.00, 20.00 and 40.00; last touch gives all to direct and last non-direct all to email.
//
// README.md has the formula and the source of every model.
package scoring
