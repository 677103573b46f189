// next_peers: what bench/next_bench asks, asked of robfig/cron: the next instant after one of 4,096
// random ones from 2000 to 2050. Arguments: pairs of expression and zone. Prints a line for each:
// expression, zone and the median of seven runs in nanoseconds, parted by tabs.
package main

import (
	"fmt"
	"math/rand"
	"os"
	"sort"
	"time"

	"github.com/robfig/cron/v3"
)

const (
	runs  = 7
	calls = 50_000
)

func instants(zone *time.Location) []time.Time {
	first := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	last := time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	random := rand.New(rand.NewSource(42))
	all := make([]time.Time, 4096)
	for i := range all {
		all[i] = time.Unix(first+random.Int63n(last-first), 0).In(zone)
	}
	return all
}

func measure(schedule cron.Schedule, from []time.Time) float64 {
	var took []float64
	var sum int64
	for run := 0; run < runs; run++ {
		begun := time.Now()
		for call := 0; call < calls; call++ {
			sum += schedule.Next(from[call%len(from)]).Unix()
		}
		took = append(took, float64(time.Since(begun).Nanoseconds())/calls)
	}
	if sum == 0 {
		panic("nothing was found")
	}
	sort.Float64s(took)
	return took[runs/2]
}

func main() {
	for i := 1; i+1 < len(os.Args); i += 2 {
		expression, name := os.Args[i], os.Args[i+1]
		zone, err := time.LoadLocation(name)
		if err != nil {
			panic(err)
		}
		schedule, err := cron.ParseStandard("CRON_TZ=" + name + " " + expression)
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s\t%s\t%.1f\n", expression, name, measure(schedule, instants(zone)))
	}
}
