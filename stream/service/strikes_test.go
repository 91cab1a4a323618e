package service

import "math/rand/v2"

// strikes are what can happen to an instance that runs. Each leaves it running.
var strikes = []struct {
	name string
	hit  func(*instance, *rand.Rand)
}{
	{"crash", func(i *instance, _ *rand.Rand) { i.kill(); i.start() }},
	{"crash, and the directory is lost", func(i *instance, _ *rand.Rand) { i.kill(); i.lose(); i.start() }},
	{"crash between the commit in Kafka and the commit of the state", func(i *instance, _ *rand.Rand) { i.crashBetweenCommits() }},
	{"the answer to a commit is lost", func(i *instance, r *rand.Rand) { i.loseAnswer(r) }},
	{"restart in order", func(i *instance, _ *rand.Rand) { i.leave(); i.start() }},
}
