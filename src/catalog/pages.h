// Limits of the lists that catalogs give page by page.
#pragma once

namespace firn::catalog {

/// No catalog has that many pages of 100; more means that the server gives the same page again and again.
inline constexpr int kPagesMax = 100'000;

}  // namespace firn::catalog
