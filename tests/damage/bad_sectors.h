// Sectors that can't be read: reads of them fail with EIO in the children of this program. Standing in for pread() and
// read(), so a read through a mapping does not notice.

#ifndef FOLDLOG_TESTS_DAMAGE_BAD_SECTORS_H_
#define FOLDLOG_TESTS_DAMAGE_BAD_SECTORS_H_

#include <cstddef>
#include <string>

namespace foldlog::damage {

// From now on, until ClearBadSector(); in one place at a time.
void SetBadSector(const std::string& path, std::size_t offset, std::size_t bytes);
void ClearBadSector();

}  // namespace foldlog::damage

#endif  // FOLDLOG_TESTS_DAMAGE_BAD_SECTORS_H_
