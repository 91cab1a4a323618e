package population

// campaign is a way in which a person meets the shop.
type campaign struct {
	weight  int64  // among the ways to begin a visit; 0: not one
	json    string // the members of the touch that never change
	clickID string // its kind, when a click carries one
	cost    int64  // highest cost of one touch, in cents
}

// The campaigns. Senders leave the channel to the channel mapping, except in the last one.
var campaigns = [...]campaign{
	{weight: 18, json: `"kind":"click","source":"google","medium":"cpc","campaign":"spring","campaign_id":"77","keyword":"running shoes"`, clickID: "gclid", cost: 180},
	{weight: 8, json: `"kind":"click","source":"google","medium":"cpc","campaign":"brand","campaign_id":"12","keyword":"fleetfoot"`, clickID: "gclid", cost: 60},
	{weight: 4, json: `"kind":"click","source":"bing","medium":"cpc","campaign":"spring","campaign_id":"b-9"`, clickID: "msclkid", cost: 120},
	{weight: 10, json: `"kind":"click","source":"facebook","medium":"paid","campaign":"spring-video","ad_id":"9","creative":"b"`, clickID: "fbclid", cost: 90},
	{weight: 6, json: `"kind":"click","source":"instagram","medium":"paid","campaign":"stories","ad_id":"31","creative":"a"`, clickID: "fbclid", cost: 90},
	{weight: 3, json: `"kind":"click","source":"tiktok","medium":"paid","campaign":"challenge"`, clickID: "ttclid", cost: 70},
	{weight: 4, json: `"kind":"click","source":"criteo","medium":"display","campaign":"retarget","placement":"news"`, cost: 110},
	{weight: 5, json: `"kind":"click","source":"bestdeals","medium":"affiliate","campaign":"coupons"`},
	{weight: 16, json: `"kind":"visit","referrer":"https://www.google.com/"`},
	{weight: 4, json: `"kind":"visit","referrer":"https://duckduckgo.com/"`},
	{weight: 4, json: `"kind":"visit","referrer":"https://blog.example.com/ten-best-shoes"`},
	{weight: 3, json: `"kind":"visit","referrer":"https://l.instagram.com/"`},
	{weight: 15, json: `"kind":"visit"`},
	{json: `"kind":"email_click","source":"newsletter","medium":"email","campaign":"march-news"`},
	{json: `"kind":"email_open","source":"newsletter","medium":"email","campaign":"march-news"`},
	{json: `"kind":"impression","source":"criteo","medium":"cpm","campaign":"retarget","creative":"banner-2"`, cost: 2},
	{json: `"kind":"impression","source":"youtube","medium":"video","campaign":"spring-film","creative":"15s"`, cost: 4},
	{json: `"kind":"impression","source":"facebook","medium":"paid","campaign":"spring-video","creative":"b"`, cost: 2},
	{json: `"kind":"call","channel":"phone","source":"call-tracking"`},
}

// Places in campaigns.
const (
	directVisit     = 12
	newsletterClick = 13
	newsletterOpen  = 14
	firstImpression = 15
	impressions     = 3
	phoneCall       = 18
)

// entrances are the weights of the campaigns by which a visit can begin.
var entrances = func() []int64 {
	weights := make([]int64, directVisit+1)
	for i := range weights {
		weights[i] = campaigns[i].weight
	}
	return weights
}()

// entrance is how a visit begins: whoever was here before comes directly more often, whoever gave an address through the
// newsletter.
func (l *life) entrance(visits int64) uint8 {
	switch {
	case l.emailKnown && l.chance(0.25):
		return newsletterClick
	case visits > 0 && l.chance(0.2):
		return directVisit
	}
	return uint8(l.chosen(entrances))
}
