#include "replay/seen_texts.h"

#include <gtest/gtest.h>

namespace foldlog {
namespace {

using Found = SeenTexts::Found;

TEST(SeenTexts, ATextIsNewOnce) {
  SeenTexts seen;
  EXPECT_EQ(seen.Add("a"), Found::kNew);
  EXPECT_EQ(seen.Add("b"), Found::kNew);
  EXPECT_EQ(seen.Add("a"), Found::kSeen);
  EXPECT_EQ(seen.Add(""), Found::kNew);
  EXPECT_EQ(seen.Add(""), Found::kSeen);
}

TEST(SeenTexts, WhatHasNoRoomIsNotRemembered) {
  SeenTexts seen(1);
  EXPECT_EQ(seen.Add("a"), Found::kNew);
  EXPECT_EQ(seen.Add("b"), Found::kFull);
  EXPECT_EQ(seen.Add("b"), Found::kFull);
  EXPECT_EQ(seen.Add("a"), Found::kSeen);
}

TEST(SeenTexts, AMarkStays) {
  SeenTexts seen;
  seen.Add("a");
  ASSERT_NE(seen.Mark("a"), nullptr);
  EXPECT_FALSE(*seen.Mark("a"));
  *seen.Mark("a") = true;
  EXPECT_EQ(seen.Add("a"), Found::kSeen);
  EXPECT_TRUE(*seen.Mark("a"));
  EXPECT_EQ(seen.Mark("b"), nullptr);
}

}  // namespace
}  // namespace foldlog
