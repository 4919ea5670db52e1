# SPDX-License-Identifier: MIT
# filchd-baseline: the objects of filchd but for its main, and a main of its own.

BASELINE := $(B)/bench/filchd-baseline
BENCH    += $(BASELINE)

FLAGS_bench += $(LLHTTP_FLAGS)

$(BASELINE): $(O)/bench/baseline.o $(filter-out %/main.o,$(SERVER_O)) $(LLHTTP_O) $(LIB_A)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(LINK_FLAGS) -o $@ $^ $(LIBS)
